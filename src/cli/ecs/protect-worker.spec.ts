import { expect, it } from 'vitest';
import type { AloneAttempt } from '../../client/worker/run-alone.ts';
import { silentLog } from '../../ports/log.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { ProtectionRequest } from './agent.ts';
import { runnerWithProtection, wantedProtection } from './protect-worker.ts';
import { TaskProtection } from './task-protection.ts';

it('a task that runs alone protects the ECS task too', async () => {
  const clock = virtualClock();
  const requests: ProtectionRequest[] = [];
  const protection = new TaskProtection(async (request) => void requests.push(request), clock, silentLog);
  const runner = runnerWithProtection(
    { processes: 4, run: async () => ({ kind: 'lost', how: 'exit code 1' }) },
    protection,
  );
  expect(runner.processes).toBe(4);
  expect(await runner.run({} as AloneAttempt)).toEqual({ kind: 'lost', how: 'exit code 1' });
  expect(requests).toEqual([{ ProtectionEnabled: true, ExpiresInMinutes: 10 }]);
});

it('the environment wants a protection by true alone, and another value than true and false is refused', () => {
  const ECS_AGENT_URI = 'http://169.254.170.2/api/token';
  const url = `${ECS_AGENT_URI}/task-protection/v1/state`;
  const wanted = (HOLDFAST_PROTECT_TASK: string | undefined, isOption = false) =>
    wantedProtection(isOption, { ECS_AGENT_URI, HOLDFAST_PROTECT_TASK });
  expect([wanted(undefined), wanted(''), wanted('false')]).toEqual([undefined, undefined, undefined]);
  expect([wanted('true'), wanted(undefined, true), wanted('false', true)]).toEqual([url, url, url]);
  expect(() => wanted('1')).toThrow(/HOLDFAST_PROTECT_TASK is '1'/);
});
