/** Runs the texts of deploy-stage.yml by bash, with stand-ins of the AWS CLI that has one parameter, and of skopeo with one tag. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { workflow } from './workflows.ts';

const steps = workflow('deploy-stage.yml').jobs.deploy?.steps ?? [];
const tag = 'v1.2.0-0123456789ab';

/** `aws ssm get-parameter` and `put-parameter` of a parameter in the file $PARAMETER. */
const aws = `#!/bin/bash
test "$1" = ecr && echo password && exit
test "$1" = ssm || exit 9
if test "$2" = get-parameter; then cat "$PARAMETER"; exit; fi
while test $# -gt 0; do test "$1" = --value && printf %s "$2" > "$PARAMETER"; shift; done
`;

/**
 * `skopeo` of a role that may read manifests and push, but read no layer and list no tag. The repository has the manifest in
 * $MANIFEST, if that is not empty, and refuses a tag that it has.
 */
const skopeo = `#!/bin/bash
case "$1" in
  login) cat > /dev/null ;;
  inspect) test "$2" = --raw && test -n "$MANIFEST" && printf %s "$MANIFEST" ;;
  manifest-digest) echo "sha256:of-$(cat "$2")" ;;
  copy) test -z "$MANIFEST" && printf sha256:of-new > pushed ;;
  *) exit 9 ;;
esac
`;

/** Runs the step with this name as GitHub does, while the parameter has this tag; undefined: the parameter is not there. */
function run(name: string, parameter: string | undefined, env: Readonly<Record<string, string>> = {}) {
  const text = steps.find((step) => step.name === name)?.run ?? '';
  expect(text, name).not.toBe('');
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-stage-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'parameter');
  if (parameter !== undefined) writeFileSync(file, parameter);
  writeFileSync(join(dir, 'aws'), aws, { mode: 0o755 });
  writeFileSync(join(dir, 'skopeo'), skopeo, { mode: 0o755 });
  writeFileSync(join(dir, 'step.sh'), text);
  const { status, stdout } = spawnSync('bash', ['-e', join(dir, 'step.sh')], {
    env: {
      ...{ PATH: [dir, process.env.PATH].join(delimiter), PARAMETER: file },
      ...{ STAGE: 'prod', TAG: tag, BEFORE: 'v1.1.0-0123456789ab' },
      ...env,
    },
    cwd: dir,
    encoding: 'utf8',
  });
  return {
    status,
    out: stdout,
    after: parameter === undefined ? undefined : readFileSync(file, 'utf8').trim(),
  };
}

it('a deployment that failed writes the tag from before, and not over the tag of a rollback in the meantime', () => {
  const back = 'write the tag from before';
  expect(run(back, tag)).toMatchObject({ status: 0, after: 'v1.1.0-0123456789ab' });
  expect(run(back, 'v1.0.0-0123456789ab')).toMatchObject({ status: 0, after: 'v1.0.0-0123456789ab' });
  expect(run(back, undefined).status).not.toBe(0);
});

it('a stage that was set to another tag during its deployment is not promoted', () => {
  const check = 'check that the smoke test was that of this tag';
  expect(run(check, tag)).toMatchObject({ status: 0, after: tag });
  const { status, out } = run(check, 'v1.1.0-0123456789ab');
  expect(status).toBe(1);
  expect(out).toContain(
    `::error::The stage prod was set to another tag meanwhile, so that ${tag} is not tested.`,
  );
  expect(run(check, undefined).status).not.toBe(0);
});

it('the check of the tag comes behind the smoke test, and both before the ways back', () => {
  const places = ['smoke', 'check that the smoke test was that of this tag', 'write the tag from before'].map(
    (wanted) => steps.findIndex(({ id, name }) => id === wanted || name === wanted),
  );
  expect(places.every((place) => place >= 0)).toBe(true);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

it('a stage that is deployed again finds the image of its tag, and refuses another one under that tag', () => {
  const push = 'push the image, or find that the repository has it';
  const image = { REPOSITORY: 'registry.example/images', DIGEST: 'sha256:of-new' };
  expect(run(push, tag, { ...image, MANIFEST: '' }).status).toBe(0);
  expect(run(push, tag, { ...image, MANIFEST: 'new' }).status).toBe(0);
  expect(run(push, tag, { ...image, MANIFEST: 'other' }).status).toBe(1);
});
