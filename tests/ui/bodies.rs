//! Mistakes in a body are reported by the compiler where they were made, not at the attribute.

#[tenter::main]
async fn wrong_tail() -> u8 {
    let _unrelated = 1;
    "text" //~ ERROR mismatched types
}

#[tenter::main]
async fn missing_tail() -> u8 { //~ ERROR mismatched types
    let _unrelated = 1;
}

#[tenter::main]
async fn question_mark_without_a_result() {
    std::fs::read("file")?; //~ ERROR the `?` operator can only be used in an async function that returns
}

#[tenter::test]
async fn wrong_tail_of_a_test() -> Result<(), String> {
    42 //~ ERROR mismatched types
}

#[tenter::main]
async fn main() -> usize { //~ ERROR `main` has invalid return type `usize`
    0
}
