/** The end of a process of the command whose collector is down. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** Starts and stops the telemetry of a process. A timer that holds no process open then finds out whether something does. */
const program = `
  import { startTelemetry } from ${source('cli/start-telemetry.ts')};
  import { endWithVerb } from ${source('cli/stop.ts')};
  import { systemClock } from ${source('platform/clock.ts')};
  import { defaultLog } from ${source('platform/log.ts')};
  const stayAlive = setInterval(() => {}, 60_000);
  const log = defaultLog();
  const metrics = { metricsHost: '127.0.0.1' };
  const telemetry = await startTelemetry({ clock: systemClock(), log, serviceName: 'holdfast-server', metrics });
  telemetry.tracing.start({ name: 'a', kind: 'internal', parent: '', attributes: {} }).end();
  log.info({}, 'a line');
  await telemetry.stop();
  setTimeout(() => process.stdout.write('held\\n'), 50).unref();
  clearInterval(stayAlive);
  endWithVerb();
`;

it.each(['traces', 'metrics', 'logs'])(
  'a process whose collector is down ends when its verb has ended, and waits for no repetition of the export of %s',
  (signal) => {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      [`OTEL_${signal.toUpperCase()}_EXPORTER`]: 'otlp',
    };
    const args = ['--input-type=module-typescript', '-e', program];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toContain('a line');
    for (const [, ms] of stderr.matchAll(/within (\S+) ms/g)) expect(ms).toMatch(/^\d+$/);
  },
);
