//! Runs a few cells in one session of the system's Python: `cargo run --package ropewalk-interpreter --example cells`.
#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "it is an example"))]

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ropewalk_interpreter::Error> {
    use ropewalk_interpreter::{Output, Sandbox, SandboxOptions};

    let sandbox = Sandbox::start(SandboxOptions::new("/usr/bin/python3")).await?;
    let mut session = sandbox.session().await?;
    session.data().put("prices.csv", &b"day,price\n1,40\n2,44\n"[..]).await?;
    for code in [
        "import csv\nprices = [float(row['price']) for row in csv.DictReader(open('prices.csv'))]",
        "print(f'1000 shares are worth {1000 * prices[-1]:,.2f} dollars')",
        "prices[1]",
        "import socket\nsocket.socket()",
    ] {
        let mut cell = session.run(code);
        while let Some(output) = cell.next().await {
            if let Output::Text(text) = output {
                print!("{text}");
            }
        }
        println!("-> {:?}", cell.end().await);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {}
