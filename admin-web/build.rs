//! Chooses what is embedded: the built front end, or, where it was not built, one page that says so.

use std::path::Path;

fn main() {
    let folder = Path::new("ui/dist");
    println!("cargo::rerun-if-changed=ui/dist");
    println!("cargo::rustc-check-cfg=cfg(front_end)");
    if folder.join("index.html").is_file() {
        println!("cargo::rustc-cfg=front_end");
    } else {
        println!("cargo::warning=the front end is not built: `make build` does it; the API works without it");
    }
}
