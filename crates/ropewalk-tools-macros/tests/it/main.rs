//! What compiles with `#[tool]`, and what the author reads if it does not. Messages are those of the minimum Rust.

#[test]
fn mistakes_are_told_where_they_stand() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass.rs");
    cases.compile_fail("tests/ui/fail_*.rs");
}
