import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import type { Globals } from '../globals.ts';
import { labelled } from '../output.ts';
import { collect, wholeNumber } from '../text/numbers.ts';

const defaultDir = '.holdfast/certs';

export function addCerts(program: Command, globals: Globals): void {
  const certs = program
    .command('certs')
    .description('create and show the certificates of a development authority');
  certs
    .command('init')
    .description('create a certificate authority')
    .option('--dir <folder>', 'the folder of the authority', defaultDir)
    .action(async ({ dir }) => {
      const { initAuthority } = await import('../../certs/authority.ts');
      const made = await initAuthority(dir, Date.now());
      const text = made.created ? `authority created in ${dir}` : `an authority exists in ${dir} already`;
      globals().output.result(made, () => `${text}\nnext: holdfast certs issue <name>`);
    });
  certs
    .command('issue')
    .argument('<name>', 'the holder’s name; a client’s identity is spiffe://holdfast.dev/client/<name>')
    .description('issue a certificate')
    .addOption(
      new Option('--kind <kind>', 'the side that uses the certificate')
        .choices(['server', 'client'] as const)
        .default('client' as const),
    )
    .option('--dir <folder>', 'the folder of the authority', defaultDir)
    .option('--host <host>', 'a server’s name or address, repeatable; default: this machine', collect)
    .option('--days <n>', 'days until it expires', wholeNumber(1, 3_650))
    .action(async (name, { kind, dir, host, days }) => {
      const { issue } = await import('../../certs/issue.ts');
      const { output } = globals();
      const isThere = existsSync(join(dir, `${name}.crt`));
      const files = await issue(dir, { name, kind, hosts: host, days }, Date.now());
      if (isThere) output.note(`replaced the existing certificate and key of '${name}'`);
      output.result({ ...files, replaced: isThere }, () => `${files.cert}\n${files.key}`);
    });
  certs
    .command('show')
    .argument('<file>', 'a certificate in PEM')
    .description('show the fields of a certificate')
    .action(async (file) => {
      const { show } = await import('../../certs/show.ts');
      const shown = show(file);
      globals().output.result(shown, () =>
        Object.entries(shown)
          .map(([name, value]) => labelled(name, Array.isArray(value) ? value.join(', ') : value))
          .join('\n'),
      );
    });
}
