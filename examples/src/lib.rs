//! Nothing: the programs are beside this folder, a page in `playground`, and services in packages of their own (`web`, `actix`, `grpc`).
