//! The page in a real, headless Chromium.
#![allow(missing_docs, clippy::unwrap_used)]

mod chromium;
mod stage;

use chromium::Sight;
use stage::Stage;

/// Pictures for a look by eye: `LIMITRA_PICTURES=/tmp/pictures cargo test ..`.
#[test]
fn pictures_are_taken_where_somebody_asks_for_them() {
    let Some(folder) = std::env::var_os("LIMITRA_PICTURES") else { return };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let mut stage = Stage::new();
    let dark = |sight: Sight| Sight { scheme: "dark", ..sight };
    let sights = [
        ("desktop", Sight::DESKTOP),
        ("desktop-dark", dark(Sight::DESKTOP)),
        ("phone", Sight::PHONE),
        ("phone-dark", dark(Sight::PHONE)),
    ];
    for (name, sight) in sights {
        let tab = stage.open(&sight);
        stage.press_escape(&tab);
        for scenario in 0..4 {
            stage.click(&tab, &format!("#scenarios button:nth-of-type({})", scenario + 1));
            stage.wait_until(&tab, "document.body.innerText.includes('refused')");
            stage.press_escape(&tab);
            let picture = stage.picture(&tab);
            std::fs::write(folder.join(format!("{name}-{}.png", scenario + 1)), picture).unwrap();
        }
    }
}
