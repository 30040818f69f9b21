//! Nothing: the programs are beside this folder, and services in packages of their own (`web`, `actix`, `grpc`).
