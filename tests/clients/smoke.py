"""The Python client creates, lists, patches, watches and deletes. Exits with an assertion when something differs."""
import threading

from kubernetes import client, config, watch

NAMESPACE = "python"

config.load_kube_config()
core, apps = client.CoreV1Api(), client.AppsV1Api()

core.create_namespace({"metadata": {"name": NAMESPACE}})
assert NAMESPACE in [item.metadata.name for item in core.list_namespace().items]

seen = []


def collect():
    for event in watch.Watch().stream(core.list_namespaced_config_map, NAMESPACE, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            return


watcher = threading.Thread(target=collect)
watcher.start()
core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={"k": "1"}))
patched = core.patch_namespaced_config_map("a", NAMESPACE, {"data": {"k": "2"}})
assert patched.data == {"k": "2"}, patched.data
assert core.read_namespaced_config_map("a", NAMESPACE).data == {"k": "2"}

template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
made = apps.create_namespaced_deployment(NAMESPACE, {"metadata": {"name": "web"}, "spec": spec})
assert made.spec.strategy.type == "RollingUpdate", made.spec.strategy
scaled = apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 3}})
assert scaled.spec.replicas == 3, scaled

try:
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "a"}})
    raise AssertionError("a second object of the same name")
except client.ApiException as error:
    assert error.status == 409, error

core.delete_namespaced_config_map("a", NAMESPACE)
watcher.join(30)
assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")], seen
print("the Python client works")
