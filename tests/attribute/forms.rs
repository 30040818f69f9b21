//! Every supported form, under the same lints as a user's strictest crate (but for that of public items nobody reaches).

#[allow(unreachable_pub)]
#[path = "../ui/pass/arguments.rs"]
mod arguments;
#[allow(unreachable_pub)]
#[path = "../ui/pass/async_traits.rs"]
mod async_traits;
#[allow(unreachable_pub)]
#[path = "../ui/pass/boxed.rs"]
mod boxed;
#[allow(unreachable_pub)]
#[path = "../ui/pass/clients.rs"]
mod clients;
#[allow(unreachable_pub)]
#[path = "../ui/pass/free_functions.rs"]
mod free_functions;
#[allow(unreachable_pub)]
#[path = "../ui/pass/instrumented.rs"]
mod instrumented;
#[allow(unreachable_pub)]
#[path = "../ui/pass/methods.rs"]
mod methods;
#[allow(unreachable_pub)]
#[path = "../ui/pass/plain_functions.rs"]
mod plain_functions;
#[allow(unreachable_pub)]
#[path = "../ui/pass/values.rs"]
mod values;

#[test]
fn every_form_is_clean_under_the_strictest_lints() {
    arguments::main();
    async_traits::main();
    boxed::main();
    clients::main();
    free_functions::main();
    instrumented::main();
    methods::main();
    plain_functions::main();
    values::main();
}
