//! The protocol stories of `scenarios/`. `UPDATE=1` writes down what is seen.

use std::path::Path;

#[test]
fn every_scenario_goes_as_it_is_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 10, "the scenarios are gone");
    let mut wrong = Vec::new();
    for path in names {
        let script = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match sim::scenario::run(&script) {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(text) if text == script => {}
            Ok(text) if std::env::var_os("UPDATE").is_some() => std::fs::write(&path, text).unwrap(),
            Ok(text) => {
                let differs = text.lines().zip(script.lines()).find(|(now, then)| now != then);
                wrong.push(format!("{name}: {differs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
