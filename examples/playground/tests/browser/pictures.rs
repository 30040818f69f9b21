//! Pictures for a look by eye.

use std::fs;
use std::path::PathBuf;

use crate::chromium::Sight;
use crate::stage::Stage;

/// Takes them only where `LIMITRA_PICTURES` names a folder for them.
#[test]
fn pictures_are_taken_where_somebody_asks_for_them() {
    let Some(folder) = std::env::var_os("LIMITRA_PICTURES") else { return };
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder).unwrap();
    let mut stage = Stage::new();
    let dark = |sight: Sight| Sight { scheme: "dark", ..sight };
    let sights = [
        ("desktop", Sight::DESKTOP),
        ("desktop-dark", dark(Sight::DESKTOP)),
        ("phone", Sight::PHONE),
        ("phone-dark", dark(Sight::PHONE)),
    ];
    for (name, sight) in sights {
        let tab = stage.open(&Sight { is_calm: true, ..sight });
        for scenario in 1..=4 {
            stage.click(&tab, &format!("#scenarios button:nth-of-type({scenario})"));
            stage.settle(&tab);
            let picture = stage.picture(&tab);
            fs::write(folder.join(format!("{name}-{scenario}.png")), picture).unwrap();
        }
        stage.set(&tab, "[name=clients]", "5");
        stage.set(&tab, "[data-pane=A] [name=limit]", "5 per 10 seconds; 10 per minute");
        stage
            .wait_until(&tab, "document.querySelector('[data-pane=A] tbody').innerText.includes('per 10 s')");
        stage.settle(&tab);
        stage.click(&tab, "#burst");
        stage.set(&tab, "[data-pane=B] [name=limit]", "10 per minut");
        stage.wait_until(&tab, "!document.querySelector('[data-pane=B] .mistake').hidden");
        let picture = stage.picture(&tab);
        fs::write(folder.join(format!("{name}-several.png")), picture).unwrap();
    }
}
