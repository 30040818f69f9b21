//! Certificates for servers with TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The files (PEM) of a certification authority and of a server for `localhost` and 127.0.0.1, made by the `openssl`
/// program.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate, which a client has to trust.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes new ones, valid for a day, in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let key = "ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let extensions = "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n";
        fs::write(folder.join("extensions"), extensions).expect("a file cannot be written");
        openssl(
            folder,
            &format!(
                "req -x509 -newkey {key} -days 1 -subj /CN=limitra-tests-authority -keyout authority.key \
                 -out authority.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
            ),
        );
        openssl(folder, &format!("req -newkey {key} -subj /CN=localhost -keyout server.key -out server.csr"));
        openssl(
            folder,
            "x509 -req -days 1 -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial \
             -extfile extensions -out server.crt",
        );
        Self {
            authority: folder.join("authority.crt"),
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
        }
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let program = std::env::var("OPENSSL").unwrap_or_else(|_| "openssl".to_owned());
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl cannot be run: ./tests/run installs it, OPENSSL names another");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
