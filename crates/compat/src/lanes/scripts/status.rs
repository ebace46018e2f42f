//! Where `zkServer.sh status` finds the port to ask, in every form of configuration.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use anyhow::Result;

use super::zk_server;
use crate::lanes::Case;

/// What the server that is asked says of itself.
const MODE: &str = "Mode: follower";

/// A configuration, and what is printed before the answer. `PORT` stands for the port where somebody answers.
const FOUND: [(&str, &str, &str); 8] = [
    ("clientPort", "clientPort=PORT\nserver.1=localhost:2887:3887\n", ""),
    ("clientPort after blanks", "  clientPort=PORT\n", ""),
    ("clientPort with an address", "clientPortAddress=127.0.0.1\nclientPort=PORT\n", "127.0.0.1"),
    ("the port of the member's line", "server.1=localhost:2887:3887;PORT\n", ""),
    (
        "port and address of the member's line",
        "server.2=other:1:2;1\nserver.1=localhost:2887:3887:participant;127.0.0.1:PORT\n",
        "127.0.0.1",
    ),
    ("a clientPort that is none", "clientPort=none\nserver.1=localhost:1:2:observer;PORT\n", ""),
    ("the dynamic file", "dynamicConfigFile=zoo.dynamic\n", "0.0.0.0"),
    ("the dynamic file by a whole path", "dynamicConfigFile=DIR/zoo.dynamic\n", "0.0.0.0"),
];

const NOT_STATIC: &str = "Client port not found in static config file. Looking in dynamic config file.\n";
const NOT_FOUND: &str = "\
Client port not found. Looking for secureClientPort in the static config.
Unable to find either secure or unsecure client port in any configs. Terminating.
";

/// Every configuration.
pub(super) fn run(dir: &Path) -> Result<Vec<Case>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    thread::spawn(move || answer(&listener));
    fs::create_dir_all(dir.join("d"))?;
    fs::write(dir.join("d/myid"), "1\n")?;
    fs::write(dir.join("zoo.dynamic"), format!("server.1=localhost:2887:3887:participant;0.0.0.0:{port}\n"))?;
    let mut cases = Vec::new();
    let mut check = |name: &str, configuration: &str, wanted: String| -> Result<()> {
        fs::write(dir.join("status.cfg"), configuration)?;
        let got = zk_server(&["status", "./status.cfg"], dir)?;
        cases.push(Case::equal(
            format!("status: {name}"),
            &wanted,
            &format!("{}exit code {}", got.stdout, got.code),
        ));
        Ok(())
    };
    for (name, configuration, address) in FOUND {
        let configuration = configuration.replace("PORT", &port).replace("DIR", &dir.display().to_string());
        let before = if configuration.contains("dynamicConfigFile") { NOT_STATIC } else { "" };
        let address = if address.is_empty() { "localhost" } else { address };
        let wanted = format!(
            "{before}Client port found: {port}. Client address: {address}. Client SSL: false.\n{MODE}\nexit code 0"
        );
        check(name, &format!("dataDir=d\n{configuration}"), wanted)?;
    }
    let no_id = "myid could not be determined, will not able to locate clientPort in the server configs.\n";
    let without_id = format!("dataDir=none\nserver.1=localhost:1:2;{port}\n");
    check("without myid", &without_id, format!("{no_id}{NOT_FOUND}exit code 1"))?;
    let nowhere = format!("{NOT_STATIC}Client port not found in the server configs\n{NOT_FOUND}exit code 1");
    check("nowhere", "dataDir=d\nserver.1=localhost:1:2\n", nowhere)?;
    Ok(cases)
}

/// Answers every connection as a server that is asked `srvr`, until the lane's process ends.
fn answer(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        // Whoever breaks the connection off sees that himself.
        let _ = stream
            .read(&mut [0; 8])
            .and_then(|_| stream.write_all(format!("Latency\n{MODE}\nNode\n").as_bytes()));
    }
}
