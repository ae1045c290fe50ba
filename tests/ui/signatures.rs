//! Functions that cannot be entry points. Their bodies are checked all the same, and nothing but
//! the mistake itself is reported.

#[tenter::main]
fn not_async() -> std::io::Result<()> { //~ ERROR the `async` keyword is missing: `#[tenter::main]` runs a future, write `async fn not_async`
    std::future::ready(()).await;
    Ok(())
}

#[tenter::main]
async fn arguments(count: usize) { //~ ERROR `#[tenter::main]` functions take no arguments
    let _used = count + 1;
}

#[tenter::test]
async fn generic<T: Default>() -> T { //~ ERROR `#[tenter::test]` functions are not generic
    T::default()
}

#[tenter::main]
async unsafe fn not_safe() {} //~ ERROR `#[tenter::main]` functions cannot be `unsafe`

#[tenter::main]
unsafe fn everything<T>(value: T) { //~ ERROR cannot be `unsafe` //~ ERROR the `async` keyword is missing //~ ERROR not generic //~ ERROR take no arguments
    drop(value);
}

#[tenter::main]
struct Main; //~ ERROR `#[tenter::main]` belongs on a function: write `async fn`

#[tenter::test]
#[test] //~ ERROR a second test attribute: `#[tenter::test]` adds `#[test]` itself, remove this one
async fn tested_twice() {}

#[tenter::main]
#[tenter::main] //~ ERROR a second main attribute: remove this one
async fn main_twice() {}

#[tenter::main]
#[tenter::test] //~ ERROR for a test, write `#[tenter::test]` alone
async fn both() {}

fn main() {}
