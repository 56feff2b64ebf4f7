//! Container ports.

use super::options::Options;
use meta::Value;
use meta::field::{ErrorList, Path};
use meta::name;
use std::collections::BTreeSet;

const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

pub fn validate_ports(ports: &Value, path: &Path, errs: &mut ErrorList) {
    let mut names = BTreeSet::new();
    for (i, port) in ports.items().iter().enumerate() {
        let path = path.index(i);
        let own = port["name"].str();
        if !own.is_empty() {
            let wrong = name::port_name(own);
            if wrong.is_empty() && !names.insert(own) {
                errs.duplicate(&path.child("name"), own);
            }
            errs.invalid_each(&path.child("name"), own, wrong);
        }
        match port["containerPort"].int() {
            0 => errs.required(&path.child("containerPort"), ""),
            number => errs.invalid_each(&path.child("containerPort"), number, name::port_number(number)),
        }
        let host = port["hostPort"].int();
        if host != 0 {
            errs.invalid_each(&path.child("hostPort"), host, name::port_number(host));
        }
        super::containers::validate_choice(&port["protocol"], PROTOCOLS, &path.child("protocol"), errs);
    }
}

/// Host ports are unique by protocol, host address and number.
pub fn validate_host_ports(containers: &[Value], path: &Path, errs: &mut ErrorList) {
    let mut taken = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        for (j, port) in container["ports"].items().iter().enumerate() {
            let host = port["hostPort"].int();
            if host == 0 {
                continue;
            }
            let key = format!("{}/{}/{host}", port["protocol"].str(), port["hostIP"].str());
            if taken.contains(&key) {
                errs.duplicate(&path.index(i).child("ports").index(j).child("hostPort"), &key);
            }
            taken.insert(key);
        }
    }
}

/// On the host's network a container's port is the host's port. Templates may leave the host port out.
pub fn validate_host_network(spec: &Value, options: Options, path: &Path, errs: &mut ErrorList) {
    if !spec["hostNetwork"].bool() {
        return;
    }
    for (i, container) in spec["containers"].items().iter().enumerate() {
        for (j, port) in container["ports"].items().iter().enumerate() {
            let (host, own) = (port["hostPort"].int(), port["containerPort"].int());
            if (options.is_pod || host != 0) && host != own {
                let path = path.child("containers").index(i).child("ports").index(j).child("hostPort");
                errs.invalid(&path, host, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}
