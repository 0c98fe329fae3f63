import { resolve } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import type { HoldfastError } from '../../core/errors.ts';
import { timing } from '../../core/limits.ts';
import { packageVersion } from '../../platform/version.ts';
import { albEndpoint, albFromOption, albPortOption, albProtocolOption } from '../alb-options.ts';
import {
  endpointDynamodbOption,
  endpointSqsOption,
  engineOption,
  queuePrefixOption,
  regionOption,
  selectedAwsStore,
  tableOption,
} from '../aws/options.ts';
import { exitCodes, usage } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import {
  emfOption,
  metricsHostOption,
  metricsPortOption,
  metricsTenantsOption,
  metricsText,
} from '../metrics-options.ts';
import { startTelemetry } from '../start-telemetry.ts';
import { endWithin, untilStopped } from '../stop.ts';
import { defaultPorts, port } from '../text/numbers.ts';

/** The time in ms that Node may need to end the process. */
const exitMs = 100;

export function addServe(program: Command, globals: Globals): void {
  program
    .command('serve')
    .description(
      'run the server: gRPC and HTTP over mutual TLS, on a store in a file or on AWS; SIGTERM ends it within 2 s',
    )
    .addOption(engineOption())
    .option('--store <url>', 'sqlite: file:<path> or memory:', 'file:./holdfast.db')
    .addOption(tableOption())
    .addOption(queuePrefixOption())
    .addOption(regionOption())
    .addOption(endpointDynamodbOption())
    .addOption(endpointSqsOption())
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .option('--port <n>', 'the gRPC port; 0: any free one', port, defaultPorts.grpc as number)
    .option('--http-port <n>', 'the HTTP port; 0: any free one', port, defaultPorts.http as number)
    .option('--ca <file>', 'the certificate of the authority that issues clients’ certificates')
    .option('--cert <file>', 'the server’s certificate')
    .option('--key <file>', 'the key of the server’s certificate')
    .option(
      '--policy <file>',
      'a policy of permissions; default: every identity of the authority may do everything',
    )
    .option('--plaintext', 'no TLS at all; only on a loopback address')
    .addOption(albPortOption())
    .addOption(albFromOption())
    .addOption(albProtocolOption())
    .addOption(metricsPortOption())
    .addOption(metricsHostOption())
    .addOption(emfOption())
    .addOption(metricsTenantsOption())
    .action(async (options, command) => {
      const isTyped = (flag: string): boolean =>
        command.getOptionValueSource(flag as keyof typeof options) === 'cli';
      const shared = selectedAwsStore(options, isTyped);
      if (shared !== undefined && isTyped('store')) {
        throw usage('--store is for the engine sqlite.', 'Leave it out, or --engine aws.');
      }
      const { ca, cert, key, host } = options;
      const files =
        ca !== undefined && cert !== undefined && key !== undefined ? { ca, cert, key } : undefined;
      if (options.plaintext !== true && files === undefined) {
        throw usage(
          'The server needs --ca, --cert and --key.',
          'Create them with `holdfast certs init` and `holdfast certs issue server --kind server`, or use `holdfast dev`.',
        );
      }
      const alb = albEndpoint(options, host, options.plaintext === true ? undefined : files);
      const security = files === undefined ? ({ plaintext: true } as const) : { tls: files };
      const [{ serve }, { systemClock }, { defaultLog }] = await Promise.all([
        import('../../node/node.ts'),
        import('../../platform/clock.ts'),
        import('../../platform/log.ts'),
      ]);
      const log = defaultLog();
      const clock = systemClock();
      const telemetry = await startTelemetry({
        ...{ clock, log, serviceName: 'holdfast-server', metrics: options },
      });
      const { metrics, tracing } = telemetry;
      const serving = await serve({
        store: shared ?? options.store,
        grpc: { host, port: options.port, ...security },
        http: { host, port: options.httpPort, ...security },
        alb,
        auth: { policyFile: options.policy },
        clock,
        log,
        metrics,
        tracing,
        onFatal: (error: HoldfastError) => {
          log.error({ err: error }, 'the store failed; the server ends');
          void telemetry.stop().finally(() => process.exit(exitCodes.failed));
        },
      });
      const { grpcPort, httpPort, albPort } = serving.listening;
      const store = shared === undefined ? storePath(options.store) : `table ${shared.table}`;
      const albText = albPort === undefined ? '' : `, gRPC for a load balancer on ${host}:${albPort}`;
      // A caller may send the signal as soon as it has read the line.
      const stopped = untilStopped();
      globals().output.result(
        { grpcPort, httpPort, albPort, metricsPort: metrics?.port, pid: process.pid, store },
        () =>
          `serving gRPC on ${host}:${grpcPort}, HTTP on ${host}:${httpPort}${albText}\nstore: ${store}${metricsText(metrics, options)}`,
      );
      // This first line shows an operator that the log of a server arrives where he looks for it.
      log.info(
        { version: packageVersion, grpc_port: grpcPort, http_port: httpPort, store },
        'the server serves',
      );
      const keepAlive = setInterval(() => {}, 60_000);
      const signal = await stopped;
      log.info(
        { signal },
        'the server is stopping; running tasks go on, and it takes their outcomes when it is back',
      );
      endWithin(timing.serverStopMs - exitMs);
      await serving.close();
      await telemetry.stop();
      clearInterval(keepAlive);
    });
}

/** Returns the absolute path of a store in a file, so that the user finds the file from any folder. */
function storePath(url: string): string {
  return url.startsWith('file:') ? resolve(url.slice('file:'.length)) : url;
}
