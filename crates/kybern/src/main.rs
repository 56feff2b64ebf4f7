//! The program. Everything is in the library.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // The allocator asks for huge pages, and each is counted whole when a byte of it is used: an idle server has 22 MiB
    // without them and 40 MiB with them. Where this is refused the program is larger, not wrong.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    kybern::main(std::env::args())
}
