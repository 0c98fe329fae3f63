import type { Command } from '@commander-js/extra-typings';
import type { Globals } from '../globals.ts';
import { metricsHostOption, metricsPortOption, metricsTenantsOption } from '../metrics-options.ts';
import { drainOption } from '../text/durations.ts';
import { defaultPorts, port } from '../text/numbers.ts';

export function addDev(program: Command, globals: Globals): void {
  program
    .command('dev')
    .argument('[worker]', 'a module whose default export is a worker (defineWorker); restarted at each save')
    .description('run everything on this machine: certificates, store, server and worker')
    .option(
      '--port <n>',
      `the gRPC port; 0: any free one; default: ${defaultPorts.grpc}, or the next free one`,
      port,
    )
    .option(
      '--http-port <n>',
      `the HTTP port; 0: any free one; default: ${defaultPorts.http}, or the next free one`,
      port,
    )
    .addOption(drainOption())
    .addOption(metricsPortOption())
    .addOption(metricsHostOption())
    .addOption(metricsTenantsOption())
    .option('--dir <folder>', 'the folder for certificates and store', '.holdfast')
    .action(async (module, options) => {
      const { runDev } = await import('../dev/run.ts');
      await runDev(module, options, globals().output);
    });
}
