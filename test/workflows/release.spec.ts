/** Shows the rules that every workflow keeps: pinned actions, least permissions, no secret, and an approval before production. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stages } from '../../deploy/cdk/stages.ts';
import { workflowFiles } from '../../scripts/workflows-lint.ts';
import { type Job, textOf, workflow } from './workflows.ts';

const names = workflowFiles().map((file) => file.split('/').at(-1) as string);
const all = names.flatMap((name) =>
  Object.entries(workflow(name).jobs).map(([job, body]): [string, Job] => [`${name} ${job}`, body]),
);
const { jobs } = workflow('release.yml');
const scripts = (JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }).scripts;

it('every action is pinned by the full SHA of a commit, with its version beside it', () => {
  const uses = names.flatMap((name) =>
    [...textOf(join('.github/workflows', name)).matchAll(/uses: (?!\.\/)(.*)$/gm)].map(([, one]) => one),
  );
  expect(uses.length).toBeGreaterThan(names.length);
  for (const one of uses) expect(one).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

it('one version of an action is one commit in every workflow', () => {
  const text = names.map((name) => textOf(join('.github/workflows', name))).join('\n');
  const pins = Map.groupBy(text.matchAll(/uses: ([\w-]+\/[\w-]+)@(\w+ # \S+)/g), ([, action]) => action);
  for (const [action, found] of pins) expect(new Set(found.map(([, , pin]) => pin)).size, action).toBe(1);
});

it('a workflow may read the content alone, and a job has more only where its own list says so', () => {
  for (const name of names) expect(workflow(name).permissions, name).toEqual({ contents: 'read' });
  for (const [name, { permissions = {} }] of all) {
    const writes = Object.entries(permissions).filter(([, access]) => access !== 'read');
    for (const [scope, access] of writes) {
      expect(access, name).toBe('write');
      expect(['id-token', 'attestations'], name).toContain(scope);
    }
  }
});

it('no workflow has a secret or a key: AWS and npm trust the identity of the workflow', () => {
  for (const name of names) {
    const text = textOf(join('.github/workflows', name));
    expect(text, name).not.toMatch(/secrets\.|secrets:|access-key|NODE_AUTH_TOKEN|NPM_TOKEN/i);
  }
});

it('no text of a run has an expression in it, so that no name of a tag or of a branch is executed', () => {
  for (const [name, { steps = [] }] of all)
    for (const { run = '' } of steps) expect(run, name).not.toContain('${{');
});

it('each job has a limit of time, and each npm script of a workflow exists', () => {
  for (const [name, { uses, steps = [], ...job }] of all) {
    if (uses === undefined) expect(job['timeout-minutes'], name).toBeGreaterThan(0);
    for (const { run = '' } of steps)
      for (const [, script = ''] of run.matchAll(/npm run (?:--silent )?([\w:]+)/g))
        expect(Object.keys(scripts), name).toContain(script);
  }
});

it('each workflow uses the version of Node that the scripts run on', () => {
  const dev = (JSON.parse(textOf('package.json')) as { devDependencies: Record<string, string> })
    .devDependencies;
  for (const [name, { steps = [] }] of all)
    for (const { uses = '', with: inputs } of steps)
      if (uses.startsWith('actions/setup-node@')) expect(inputs?.['node-version'], name).toBe(dev.node);
});

it('a release attests its package, its bill of materials and its image, before anything is published or deployed', () => {
  for (const name of ['package', 'image']) {
    const steps = jobs[name]?.steps ?? [];
    expect(
      steps.some(({ uses }) => uses?.startsWith('actions/attest-build-provenance@')),
      name,
    ).toBe(true);
    expect(jobs[name]?.permissions, name).toMatchObject({ 'id-token': 'write', attestations: 'write' });
  }
  expect(JSON.stringify(jobs.package?.steps)).toContain('npm run --silent sbom');
  expect(jobs.staging?.needs).toEqual(['package', 'image']);
  expect(jobs.publish?.needs).toContain('staging');
  expect(JSON.stringify(jobs.publish?.steps)).toContain('--provenance');
});

it('production gets the image of staging after it, from the environments that the roles of the stages trust', () => {
  expect(jobs.promote?.needs).toContain('staging');
  for (const [name, stage] of [
    ['staging', 'dev'],
    ['promote', 'prod'],
  ] as const) {
    expect(jobs[name]?.uses).toBe('./.github/workflows/deploy-stage.yml');
    const { environment, ...inputs } = jobs[name]?.with ?? {};
    expect(environment).toBe(stages.find((one) => one.name === stage)?.environment);
    expect(inputs.stage).toBe(stage);
    expect(inputs.tag).toContain('{{ needs.image.outputs.tag }}');
    expect(inputs.digest).toContain('{{ needs.image.outputs.digest }}');
  }
});

it('the CDK gets the region in which the workflow reads and writes the tag', () => {
  const { env, steps = [] } = workflow('deploy-stage.yml').jobs.deploy as Job;
  const region = steps.find(({ uses }) => uses?.startsWith('aws-actions/'))?.with?.['aws-region'];
  expect(region).toContain('{{ vars.AWS_REGION }}');
  expect(env?.CDK_CONTEXT).toContain(`--context region=${region}`);
  const cdk = steps.map(({ run = '' }) => run).filter((run) => run.includes('$CDK '));
  expect(cdk).toHaveLength(2);
  for (const run of cdk) expect(run).toContain('$CDK_CONTEXT');
});

it('a stage is deployed in this order: push, diff, tag, deploy, smoke test', () => {
  const steps = workflow('deploy-stage.yml').jobs.deploy?.steps ?? [];
  const text = steps.map(({ run = '' }) => run).join('\n');
  const order = [
    'skopeo copy',
    '$CDK diff',
    'put-parameter',
    '$CDK deploy',
    'npm run smoke',
    'deploy status',
  ];
  const places = order.map((words) => text.indexOf(words));
  expect(places.every((place) => place >= 0)).toBe(true);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});
