//! The program, driven by real kubectl of several versions. Without kubectl a line says so and nothing is tested.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A kybern of its own on a free port, killed when dropped.
struct Cluster {
    child: Child,
    dir: tempfile::TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        let dir = tempfile::tempdir().expect("a directory");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port").port();
        let child = Command::new(env!("CARGO_BIN_EXE_kybern"))
            .args(["serve", &format!("--secure-port={port}"), "--data-dir"])
            .arg(dir.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("kybern");
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "kybern does not listen");
            std::thread::yield_now();
        }
        Cluster { child, dir }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("data/admin.kubeconfig")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One version of kubectl in one namespace.
struct Kubectl<'a> {
    program: PathBuf,
    cluster: &'a Cluster,
    namespace: String,
}

impl Kubectl<'_> {
    /// Exit code, standard output, standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(&self.program)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .env("HOME", self.cluster.dir.path())
            .env("EDITOR", "sed -i s/one/two/")
            .args(["--namespace", &self.namespace])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("kubectl runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// The command succeeds and prints what is wanted.
    fn ok(&self, args: &[&str], wanted: &str) {
        let (code, out, err) = self.run(args);
        let who = self.program.display();
        assert!(code == 0 && out.contains(wanted), "{who} {args:?}: exit {code}, wanted {wanted:?}\n{out}\n{err}");
    }

    /// The command fails and says what is wanted.
    fn fails(&self, args: &[&str], wanted: &str) {
        let (code, out, err) = self.run(args);
        let who = self.program.display();
        assert!(code != 0 && err.contains(wanted), "{who} {args:?}: exit {code}, wanted {wanted:?}\n{out}\n{err}");
    }
}

/// Every kubectl there is: `kubectl` on the path, and `kubectl.1.27` and so on beside the file it leads to.
fn programs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(first) = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|file| file.is_file())
    else {
        return vec![];
    };
    let folder = first.canonicalize().ok().and_then(|file| file.parent().map(PathBuf::from)).unwrap_or_default();
    let versions = ["1.27", "1.30", "1.33"].map(|version| folder.join(format!("kubectl.{version}")));
    let versions: Vec<PathBuf> = versions.into_iter().filter(|file| file.is_file()).collect();
    if versions.is_empty() { vec![first] } else { versions }
}

fn with_each_kubectl(test: impl Fn(&Kubectl<'_>)) {
    let programs = programs();
    if programs.is_empty() {
        println!("no kubectl on this machine: not tested");
        return;
    }
    let cluster = Cluster::start();
    for (number, program) in programs.into_iter().enumerate() {
        let kubectl = Kubectl { program, cluster: &cluster, namespace: format!("ns-{number}") };
        kubectl.ok(&["create", "namespace", &kubectl.namespace], "created");
        kubectl.ok(&["create", "serviceaccount", "default"], "created");
        test(&kubectl);
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: 'nginx:1.25', ports: [{containerPort: 80}]}
";

#[test]
fn workloads() {
    with_each_kubectl(|kubectl| {
        let file = kubectl.cluster.write("deployment.yaml", DEPLOYMENT);
        kubectl.ok(&["apply", "-f", &file], "deployment.apps/web created");
        kubectl.ok(&["apply", "-f", &file], "deployment.apps/web unchanged");
        kubectl.ok(&["diff", "-f", &file], "");
        kubectl.ok(&["apply", "--server-side", "--force-conflicts", "-f", &file], "serverside-applied");
        kubectl.ok(&["get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.dnsPolicy}"], "ClusterFirst");
        kubectl.ok(&["get", "deployments", "-o", "name"], "deployment.apps/web");
        kubectl.ok(&["get", "deployment", "web", "-o", "yaml"], "kind: Deployment");
        kubectl.ok(&["get", "deployment", "web", "-o", "json"], "\"kind\": \"Deployment\"");
        kubectl.ok(&["get", "deployment", "web", "-o", "go-template={{.metadata.name}}"], "web");
        kubectl.ok(&["get", "deployments", "-o", "custom-columns=N:.metadata.name"], "web");
        kubectl.ok(&["get", "deployments"], "READY");
        kubectl.ok(&["get", "deployments", "-o", "wide"], "nginx:1.25");
        kubectl.ok(&["describe", "deployment", "web"], "RollingUpdate");
        kubectl.ok(&["label", "deployment", "web", "x=y"], "labeled");
        kubectl.ok(&["annotate", "deployment", "web", "a=b"], "annotate");
        kubectl.ok(&["patch", "deployment", "web", "-p", "{\"spec\":{\"replicas\":3}}"], "patched");
        kubectl.ok(&["patch", "deployment", "web", "--type=merge", "-p", "{\"spec\":{\"replicas\":4}}"], "patched");
        let json_patch = "[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":5}]";
        kubectl.ok(&["patch", "deployment", "web", "--type=json", "-p", json_patch], "patched");
        kubectl.ok(&["scale", "deployment", "web", "--replicas=1"], "scaled");
        kubectl.ok(&["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"], "1");
        kubectl.ok(&["rollout", "pause", "deployment", "web"], "paused");
        kubectl.ok(&["rollout", "resume", "deployment", "web"], "resumed");
        kubectl.ok(&["rollout", "restart", "deployment", "web"], "restarted");
        kubectl.ok(&["expose", "deployment", "web", "--port=80"], "exposed");
        kubectl.ok(&["get", "service", "web"], "ClusterIP");
        kubectl.ok(&["set", "image", "deployment/web", "c=nginx:1.26"], "image updated");
        kubectl.ok(&["set", "env", "deployment/web", "A=b"], "env updated");
        kubectl.ok(&["autoscale", "deployment", "web", "--max=3"], "autoscaled");
        kubectl.ok(&["replace", "-f", &file], "replaced");
        kubectl.ok(&["delete", "-f", &file], "deleted");
    });
}

#[test]
fn objects() {
    with_each_kubectl(|kubectl| {
        kubectl.ok(&["run", "p", "--image=busybox", "--restart=Never"], "pod/p created");
        kubectl.ok(&["get", "pods"], "Pending");
        kubectl.ok(&["describe", "pod", "p"], "busybox");
        kubectl.ok(&["create", "configmap", "cm", "--from-literal=a=one"], "created");
        kubectl.fails(&["create", "configmap", "cm"], "already exists");
        kubectl.ok(&["edit", "configmap", "cm"], "edited");
        kubectl.ok(&["wait", "--for=jsonpath={.data.a}=two", "configmap/cm", "--timeout=10s"], "condition met");
        kubectl.ok(&["create", "secret", "generic", "s", "--from-literal=a=b"], "created");
        kubectl.ok(&["get", "secret", "s", "-o", "jsonpath={.data.a}"], "Yg==");
        kubectl.ok(&["create", "quota", "q", "--hard=pods=10"], "created");
        kubectl.ok(&["create", "job", "j", "--image=busybox"], "created");
        kubectl.ok(&["create", "cronjob", "cj", "--image=busybox", "--schedule=* * * * *"], "created");
        kubectl.ok(&["create", "ingress", "i", "--rule=a.com/=web:80"], "created");
        kubectl.ok(&["create", "role", "r", "--verb=get", "--resource=pods"], "created");
        kubectl.ok(&["create", "rolebinding", "rb", "--role=r", "--user=u"], "created");
        kubectl.ok(&["create", "token", "default"], "ey");
        kubectl.ok(&["get", "all"], "pod/p");
        kubectl.ok(&["delete", "configmap", "cm"], "deleted");
        kubectl.ok(&["wait", "--for=delete", "configmap/cm", "--timeout=10s"], "");
        kubectl.fails(&["get", "configmap", "cm"], "NotFound");
        kubectl.fails(&["create", "-f", "-"], "");
        kubectl.fails(&["create", "configmap", "Bad_Name"], "a lowercase RFC 1123 subdomain");
        kubectl.ok(&["delete", "pod", "p", "--grace-period=0", "--force"], "force deleted");
    });
}

#[test]
fn what_the_server_says_about_itself() {
    with_each_kubectl(|kubectl| {
        kubectl.ok(&["api-versions"], "apps/v1\n");
        kubectl.ok(&["api-resources", "--verbs=list", "--namespaced", "-o", "name"], "deployments.apps");
        kubectl.ok(&["explain", "deployment.spec.replicas"], "Number of desired pods");
        kubectl.ok(&["explain", "pod", "--recursive"], "terminationGracePeriodSeconds");
        kubectl.ok(&["get", "--raw", "/healthz"], "ok");
        kubectl.ok(&["cluster-info"], "is running at");
        kubectl.ok(&["version", "-o", "json"], "+kybern.");
        kubectl.ok(&["config", "current-context"], "kybern");
        // 1.27 asks for versions of this API that 1.36 no longer has.
        if !kubectl.program.ends_with("kubectl.1.27") {
            kubectl.ok(&["auth", "whoami"], "kubernetes-admin");
        }
        kubectl.ok(&["auth", "can-i", "create", "pods"], "yes");
        kubectl.fails(&["auth", "can-i", "create", "pods", "--as=nobody"], "");
    });
}

#[test]
fn watches_and_proxies() {
    with_each_kubectl(|kubectl| {
        let mut watch = Command::new(&kubectl.program)
            .env("KUBECONFIG", kubectl.cluster.kubeconfig())
            .args(["--namespace", &kubectl.namespace, "get", "configmaps", "--watch", "-o", "name"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        kubectl.ok(&["create", "configmap", "seen"], "created");
        let mut out = watch.stdout.take().expect("its output");
        let mut seen = String::new();
        let mut chunk = [0; 256];
        while !seen.contains("configmap/seen") {
            let read = out.read(&mut chunk).expect("its output");
            assert!(read > 0, "the watch ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
        watch.kill().and_then(|()| watch.wait()).expect("it ends");

        let mut proxy = Command::new(&kubectl.program)
            .env("KUBECONFIG", kubectl.cluster.kubeconfig())
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(proxy.stdout.take().expect("its output")), &mut line)
            .expect("a line");
        let address = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        let answer = plain_get(&address, &format!("/api/v1/namespaces/{}/configmaps/seen", kubectl.namespace));
        proxy.kill().and_then(|()| proxy.wait()).expect("it ends");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ConfigMap\""), "{answer}");
    });
}

fn plain_get(address: &str, path: &str) -> String {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(address).expect("the proxy listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn tokens_of_accounts_and_other_names() {
    with_each_kubectl(|kubectl| {
        let namespace = &kubectl.namespace;
        kubectl.ok(&["create", "serviceaccount", "robot"], "created");
        let pod = r#"{"spec":{"serviceAccountName":"robot"}}"#;
        kubectl.ok(&["run", "bound", "--image=i", "--overrides", pod], "created");
        let server = kubectl.run(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]).1;
        let server = format!("--server={server}");
        let with = |token: &str| format!("--token={}", token.trim());
        // Only the token says who asks: the administrator's certificate would count more.
        let list = |token: &str, wanted: &str| {
            let token = with(token);
            let args = ["--kubeconfig=/dev/null", "--insecure-skip-tls-verify", &server, &token, "get", "pods"];
            kubectl.fails(&args, wanted);
        };
        let known = format!("User \"system:serviceaccount:{namespace}:robot\" cannot list resource \"pods\"");
        let (_, free, _) = kubectl.run(&["create", "token", "robot", "--duration=10m"]);
        let (_, bound, _) =
            kubectl.run(&["create", "token", "robot", "--bound-object-kind=Pod", "--bound-object-name=bound"]);
        let (_, foreign, _) = kubectl.run(&["create", "token", "robot", "--audience=vault"]);
        list(&free, &known);
        list(&bound, &known);
        list(&foreign, "Unauthorized");
        list("forged", "Unauthorized");
        kubectl.ok(&["delete", "pod", "bound", "--grace-period=0", "--force"], "deleted");
        list(&bound, "Unauthorized");
        list(&free, &known);
        kubectl.ok(&["delete", "serviceaccount", "robot"], "deleted");
        list(&free, "Unauthorized");
        kubectl.fails(&["create", "token", "robot"], "not found");
        kubectl.ok(&["create", "role", "reader", "--verb=list", "--resource=pods"], "created");
        kubectl.ok(&["create", "rolebinding", "reader", "--role=reader", "--group=readers"], "created");
        kubectl.ok(&["get", "pods", "--as=ann", "--as-group=readers", "-o", "name"], "");
        kubectl.fails(&["get", "pods", "--as=ann"], "User \"ann\" cannot list resource \"pods\"");
        kubectl.fails(
            &["get", "secrets", "--as=ann", "--as-group=readers"],
            "User \"ann\" cannot list resource \"secrets\"",
        );
        kubectl.fails(&["get", "pods", "--as-group=readers"], "without impersonating a user");
    });
}
