//! Chooses what is embedded: the built front end, or, where it was not built, one page that says so.

use std::path::Path;

fn main() {
    let folder = Path::new("ui/dist");
    println!("cargo::rerun-if-changed=ui/dist");
    let embedded = if folder.join("index.html").is_file() {
        "ui/dist"
    } else {
        println!("cargo::warning=the front end is not built: `make build` does it; the API works without it");
        "src/without_front_end"
    };
    println!("cargo::rustc-env=FRONT_END={embedded}");
}
