// The files for containers in dist/ are readable, and each of their values fits the image, the settings and the probes.
import test from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, Server, temporaryFolder } from '../lib/server.mjs';

const place = new URL('../../dist/container/', import.meta.url).pathname;
const read = (name) => readFileSync(join(place, name), 'utf8');
const documents = (name) =>
    JSON.parse(
        execFileSync(
            '/usr/bin/python3',
            ['-c', 'import json,sys,yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'],
            { input: read(name), encoding: 'utf8' },
        ),
    );

// The values of the image's last stage, as the Containerfile has them.
const containerfile = read('Containerfile');
const lines = containerfile.slice(containerfile.indexOf('FROM scratch')).split('\n');
const said = (word) => lines.find((line) => line.startsWith(`${word} `)).slice(word.length + 1);
const image = {
    env: Object.fromEntries(
        said('ENV')
            .split(' ')
            .map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
    ),
    user: said('USER'),
    volume: said('VOLUME'),
    port: said('EXPOSE'),
    health: JSON.parse(said('HEALTHCHECK').replace(/.*CMD /, '')),
    program: JSON.parse(said('ENTRYPOINT')),
};
const portOf = (env) => (env.ROSTER_LISTEN ?? image.env.ROSTER_LISTEN).replace(/.*:/, '');
const seconds = (text) => Number(/^(\d+)s$/.exec(text)[1]);

// --check-config takes the variables that a container would have; the data and the password are other ones here.
async function assertSettings(env) {
    const given = {
        ...image.env,
        ...env,
        ROSTER_DATA: temporaryFolder(),
        ROSTER_ADMIN_PASSWORD: 'correct-horse-battery',
    };
    assert.deepEqual(await run(['--check-config'], given), { code: 0, stdout: '', stderr: '' });
}

// A stop may take as long as the settings say; docs/operations.md wants a minute more.
async function assertGrace(given, env) {
    const shown = JSON.parse((await run(['config', '--json'], { ...image.env, ...env })).stdout);
    const value = (name) => Number(shown.find(({ setting }) => setting === name).value);
    const wanted = value('drain-delay') + value('stop-timeout') + 60;
    assert.ok(given >= wanted, `${given} s to stop, ${wanted} s wanted`);
}

test('the image asks the program for its health, listens where it says, and keeps its data on its volume', async () => {
    await assertSettings({});
    assert.deepEqual(image.health, [...image.program, 'health']);
    assert.equal(portOf({}), image.port);
    assert.equal(image.env.ROSTER_DATA, image.volume);
    const [user, group] = image.user.split(':');
    assert.ok(lines.some((line) => line.includes(`--chown=${user}:${group}`)));
    assert.notEqual(user, '0');
});

for (const name of ['caddy.yml', 'postgres.yml'])
    test(`${name} fits the image, and names only what is there`, async () => {
        const [{ services, volumes }] = documents(name),
            { roster, ...others } = services,
            env = roster.environment;
        await assertSettings(env);
        await assertGrace(seconds(roster.stop_grace_period), env);
        assert.deepEqual(
            [roster.read_only, roster.cap_drop, roster.security_opt],
            [true, ['ALL'], ['no-new-privileges:true']],
        );
        const context = join(place, roster.build.context);
        assert.ok(existsSync(join(context, roster.build.dockerfile)), roster.build.dockerfile);
        const mounts = Object.values(services).flatMap((service) => service.volumes);
        const targets = roster.volumes.map((mount) => mount.split(':')[1]);
        assert.ok(targets.includes(image.volume), targets.join(' '));
        if (env.PGPASSFILE) assert.ok(targets.includes(env.PGPASSFILE), env.PGPASSFILE);
        for (const mount of mounts) {
            const [source] = mount.split(':');
            // The operator makes it, as the head of the file says.
            if (/^\.\/(pgpass|postgres-password)$/.test(source))
                assert.ok(read(name).split('services:')[0].includes(source.slice(2)), source);
            else if (source.startsWith('.')) assert.ok(existsSync(join(place, source)), source);
            else assert.ok(source in volumes, source);
        }
        const shares = Object.values(others).some(
            (other) => other.network_mode === 'service:roster',
        );
        const inner = roster.ports.map((port) => port.replace(/.*:|\/.*/g, ''));
        if (!shares) assert.deepEqual(inner, [portOf(env)]);
        for (const [one, service] of Object.entries(services))
            for (const [on, { condition }] of Object.entries(service.depends_on ?? {})) {
                assert.equal(condition, 'service_healthy', one);
                assert.ok(on === 'roster' ? image.health : services[on].healthcheck, on);
            }
    });

test('Caddy finds Roster where its file says, in the network that they share', () => {
    const [{ services }] = documents('caddy.yml');
    const upstream = /reverse_proxy (\S+)/.exec(readFileSync(join(place, '../Caddyfile'), 'utf8'));
    assert.equal(services.roster.environment.ROSTER_LISTEN, upstream[1]);
    assert.ok(upstream[1].startsWith(`${services.roster.environment.ROSTER_TRUSTED_PROXIES}:`));
});

test('Kubernetes probes what the server answers, and runs the image as the user that it is for', async () => {
    const [service, set] = documents('kubernetes.yml'),
        { template, volumeClaimTemplates } = set.spec,
        pod = template.spec,
        [container] = pod.containers;
    const env = Object.fromEntries(
        container.env
            .filter(({ value }) => value !== undefined)
            .map((one) => [one.name, one.value]),
    );
    await assertSettings(env);
    await assertGrace(pod.terminationGracePeriodSeconds, env);
    const secrets = container.env.filter(({ valueFrom }) => valueFrom).map((one) => one.name);
    assert.deepEqual(secrets, ['ROSTER_ADMIN_PASSWORD']);
    const { runAsUser, runAsGroup, fsGroup, runAsNonRoot } = pod.securityContext;
    assert.equal(`${runAsUser}:${runAsGroup}`, image.user);
    assert.deepEqual([fsGroup, runAsNonRoot], [runAsGroup, true]);
    assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
    });
    assert.equal(set.spec.replicas, 1);
    assert.deepEqual(service.spec.selector, template.metadata.labels);
    assert.deepEqual(set.spec.selector.matchLabels, template.metadata.labels);
    assert.equal(set.spec.serviceName, service.metadata.name);
    const [port] = container.ports;
    assert.equal(String(port.containerPort), portOf(env));
    assert.equal(service.spec.ports[0].targetPort, port.name);
    assert.deepEqual(
        container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]),
        [[volumeClaimTemplates[0].metadata.name, image.volume]],
    );
    const server = await Server.start();
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const { path, port: of } = container[probe].httpGet;
        assert.equal(of, port.name, probe);
        assert.equal((await server.call('GET', path)).status, 200, probe);
    }
});
