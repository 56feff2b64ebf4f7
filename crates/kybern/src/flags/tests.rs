use super::*;

fn run(line: &str) -> Given {
    match read(line.split(' ').map(str::to_owned)) {
        Call::Run(given) => given,
        Call::Print(text, code) => panic!("{line}: exit {code}: {text}"),
    }
}

fn refused(line: &str) -> (String, i32) {
    match read(line.split(' ').map(str::to_owned)) {
        Call::Run(_) => panic!("{line} was accepted"),
        Call::Print(text, code) => (text, code),
    }
}

#[test]
fn defaults_depend_on_the_name() {
    let cases = [
        ("kybern serve", Program::Serve, "127.0.0.1", vec!["Node", "RBAC"]),
        ("kybern kube-apiserver", Program::KubeApiserver, "0.0.0.0", vec!["AlwaysAllow"]),
        ("/usr/bin/kube-apiserver", Program::KubeApiserver, "0.0.0.0", vec!["AlwaysAllow"]),
    ];
    for (line, program, bind_address, modes) in cases {
        let given = run(line);
        assert_eq!(given.program, program, "{line}");
        assert_eq!(given.text("bind-address"), bind_address, "{line}");
        assert_eq!(given.list("authorization-mode"), modes, "{line}");
        assert!(given.without_effect.is_empty());
    }
}

#[test]
fn values_are_written_in_every_way_pflag_takes() {
    let given = run("kube-apiserver --secure-port 7443 --bind_address=::1 --anonymous-auth=false \
                     --disable-http2-serving --tls-min-version=VersionTLS13 -v=4 \
                     --service-account-issuer a --service-account-issuer=b,c --secure-port=8443");
    assert_eq!(given.parse::<u16>("secure-port"), Ok(8443), "the last one counts");
    assert_eq!(given.text("bind-address"), "::1");
    assert_eq!(given.switch("anonymous-auth"), Ok(false));
    assert_eq!(given.switch("disable-http2-serving"), Ok(true));
    assert_eq!(given.switch("permit-port-sharing"), Ok(false));
    assert_eq!(given.list("service-account-issuer"), ["a", "b", "c"]);
    assert_eq!(given.text("v"), "4");
    assert!(given.is_set("secure-port") && !given.is_set("etcd-prefix"));
    assert!(run("kybern serve --anonymous-auth=maybe").switch("anonymous-auth").is_err());
}

/// What kubeadm writes into its manifest.
#[test]
fn kubeadm_command_line() {
    let given =
        run("kube-apiserver --advertise-address=10.1.1.1 --allow-privileged=true --authorization-mode=Node,RBAC \
                     --client-ca-file=/etc/kubernetes/pki/ca.crt --enable-admission-plugins=NodeRestriction \
                     --enable-bootstrap-token-auth=true --etcd-servers=https://127.0.0.1:2379 \
                     --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname --secure-port=6443 \
                     --service-cluster-ip-range=10.96.0.0/12");
    assert_eq!(given.without_effect, ["allow-privileged"]);
}

#[test]
fn what_is_unknown_or_unsafe_is_refused() {
    assert_eq!(refused("kube-apiserver --no-such-flag=1").1, 2);
    assert_eq!(refused("kybern serve --allow-privileged").1, 2);
    assert_eq!(refused("kybern dance").1, 2);
    let (text, code) = refused("kube-apiserver --etcd-servers-overrides=/events#http://127.0.0.1:1");
    assert!(code == 2 && text.contains("--etcd-servers-overrides"), "{text}");
}

#[test]
fn help_and_versions() {
    let (help, code) = refused("kybern serve --help");
    assert_eq!(code, 0);
    for word in [table::OWN, "Authentication", "--service-cluster-ip-range", "--insecure-port"] {
        assert!(help.contains(word), "{word}");
    }
    assert!(refused("kube-apiserver --version").0.starts_with("Kubernetes v1.36.2+kybern."));
    assert!(refused("kybern --version").0.starts_with("kybern "));
}

#[test]
fn every_flag_is_in_one_table_only() {
    let mut names: Vec<&str> = table::flags().map(|flag| flag.name).collect();
    names.extend(UNUSED_SWITCHES.iter().chain(UNUSED_VALUES).chain(REFUSED));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}
