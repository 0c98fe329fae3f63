import { styleText } from 'node:util';
import type { Command } from '@commander-js/extra-typings';
import {
  awsStore,
  endpointDynamodbOption,
  endpointSqsOption,
  queuePrefixOption,
  regionOption,
  tableOption,
} from '../aws/options.ts';
import {
  checkCertificates,
  checkFile,
  checkPorts,
  checkServer,
  checkTable,
  checkVersions,
  type Finding,
} from '../doctor/checks.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';

function findingText({ name, ok, message, help }: Finding): string {
  const mark = ok ? styleText('green', 'ok   ') : styleText('red', 'wrong');
  return `${mark}  ${name.padEnd(12)}  ${message}${help === undefined ? '' : `\n${' '.repeat(21)}${help}`}`;
}

export function addDoctor(program: Command, globals: Globals): void {
  program
    .command('doctor')
    .description(
      'check versions, certificates, server, ports, store and, with --table, AWS; says how to mend what is wrong',
    )
    .option('--store <file>', 'the file of a store; default: that of `holdfast dev`', '.holdfast/queue.db')
    .addOption(tableOption(''))
    .addOption(queuePrefixOption(''))
    .addOption(regionOption(''))
    .addOption(endpointDynamodbOption(''))
    .addOption(endpointSqsOption(''))
    .action(async (options, command) => {
      const { server, output } = globals();
      const isNamed = command.getOptionValueSource('store') === 'cli';
      const ofServer =
        options.table === undefined
          ? [checkCertificates(server, Date.now()), await checkServer(server), await checkPorts()]
          : [await checkTable(awsStore(options))];
      const isLocal = isNamed || options.table === undefined;
      const findings = [checkVersions(), ...ofServer, ...(isLocal ? [await checkFile(options.store)] : [])];
      output.result({ findings, ok: findings.every(({ ok }) => ok) }, () =>
        findings.map(findingText).join('\n'),
      );
      if (findings.some(({ ok }) => !ok)) process.exitCode = exitCodes.failed;
    });
}
