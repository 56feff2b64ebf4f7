// The Node client creates, lists, patches, watches and deletes. Throws when something differs.
import assert from 'node:assert';
import * as k8s from '@kubernetes/client-node';

const namespace = 'node-client';
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);

await core.createNamespace({ body: { metadata: { name: namespace } } });
const namespaces = await core.listNamespace();
assert.ok(namespaces.items.some((item) => item.metadata.name === namespace));

const seen = [];
let finish;
const finished = new Promise((resolve) => (finish = resolve));
const request = await new k8s.Watch(config).watch(
    `/api/v1/namespaces/${namespace}/configmaps`,
    {},
    (type, object) => {
        seen.push(`${type} ${object.metadata.name}`);
        if (type === 'DELETED') finish();
    },
    finish,
);

await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' }, data: { k: '1' } } });
const patched = await core.patchNamespacedConfigMap(
    { name: 'a', namespace, body: { data: { k: '2' } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
);
assert.deepStrictEqual(patched.data, { k: '2' });
await assert.rejects(core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'a' } } }));
await core.deleteNamespacedConfigMap({ name: 'a', namespace });
await finished;
request.abort();
assert.deepStrictEqual(seen, ['ADDED a', 'MODIFIED a', 'DELETED a']);
console.log('the Node client works');
process.exit(0);
