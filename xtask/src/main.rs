//! What people and CI run beside cargo: `cargo xtask COMMAND`. Without a command it lists them.

mod clients;
mod fuzz;
mod repo;
mod schema;
mod test;
mod tidy;
mod tools;
mod wire;

use std::process::ExitCode;

type Command = (&'static str, fn(&[String]) -> Result<(), String>, &'static str);

const COMMANDS: &[Command] = &[
    (
        "tidy",
        tidy::run,
        "check what compilers do not: dependencies, names, lengths, words [--accept: take today's lengths]",
    ),
    ("test", test::run, "every test there is, with the tools they need [--no-install]"),
    (
        "wire",
        wire::run,
        "start a server and replay the recorded exchanges against it [--release] [--floors] [wire.py flags]",
    ),
    ("clients", clients::run, "the Python and Node clients against a fresh server"),
    ("schema", schema::run, "the facts of the built-in types: import, check, overlay"),
    ("fuzz", fuzz::run, "fuzz decoders, patches and selectors, 10 minutes each [TARGET ...] [--seconds N]"),
    ("bench", test::bench, "build for release and measure start, memory and speed"),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = args.split_first().map_or(("", [].as_slice()), |(name, rest)| (name.as_str(), rest));
    let Some((_, run, _)) = COMMANDS.iter().find(|(command, _, _)| *command == name) else {
        eprintln!("cargo xtask COMMAND");
        for (name, _, about) in COMMANDS {
            eprintln!("  {name:8} {about}");
        }
        return ExitCode::FAILURE;
    };
    match run(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
