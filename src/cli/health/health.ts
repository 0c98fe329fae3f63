import type { Command } from '@commander-js/extra-typings';
import { HoldfastError } from '../../core/errors.ts';
import type { Globals } from '../globals.ts';
import { defaultPorts, wholeNumber } from '../text/numbers.ts';

/** The longest wait for the answer in ms, shorter than the time limits of health checks of containers. */
const answerMs = 4_000;

/**
 * Asks the HTTP port of a server on this machine whether it serves. The certificate is not verified: it names the host of
 * clients and not the loopback address, the request has no secret, and the answer is only whether the server serves.
 *
 * @throws HoldfastError UNREACHABLE if no server answers, DRAINING if it answers that it does not serve.
 */
async function checkHealth(httpPort: number, plaintext: boolean): Promise<void> {
  const { request } = plaintext ? await import('node:http') : await import('node:https');
  const address = `127.0.0.1:${httpPort}`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: httpPort, path: '/healthz', rejectUnauthorized: false };
    const call = request({ ...options, timeout: answerMs }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.once('timeout', () => call.destroy(new Error(`no answer within ${answerMs / 1_000} s`)));
    call.once('error', reject);
    call.end();
  }).catch((cause: Error) => {
    throw new HoldfastError(
      'UNAVAILABLE',
      'UNREACHABLE',
      `No server answers at ${address}: ${cause.message}.`,
      {
        help: 'Give the HTTP port of a server on this machine: --http-port, and --plaintext if it has no TLS.',
        cause,
      },
    );
  });
  if (status === 200) return;
  throw new HoldfastError('UNAVAILABLE', 'DRAINING', `The server at ${address} does not serve.`, {
    help: 'It is stopping, or its clock is wrong: see its log.',
  });
}

export function addHealth(program: Command, globals: Globals): void {
  program
    .command('health')
    .description('check that the server on this machine serves; the health check of containers')
    .option('--http-port <n>', 'the server’s HTTP port', wholeNumber(1, 65_535), defaultPorts.http as number)
    .option('--plaintext', 'the server has no TLS')
    .action(async ({ httpPort, plaintext }) => {
      await checkHealth(httpPort, plaintext === true);
      globals().output.result({ serving: true, httpPort }, () => `serving on 127.0.0.1:${httpPort}`);
    });
}
