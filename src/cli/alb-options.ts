/** The options of the listener for a load balancer, which passes on the certificates of its clients. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { AlbEndpoint } from '../rpc/server/forwarded/alb-listener.ts';
import type { CertificateFiles } from '../tls/load.ts';
import { networkProblem } from '../tls/networks.ts';
import { usage } from './exit-codes.ts';
import { port } from './text/numbers.ts';

const protocols = ['tls', 'h2c'] as const;

export interface AlbFlags {
  readonly albPort?: number | undefined;
  readonly albFrom?: readonly string[] | undefined;
  readonly albProtocol?: (typeof protocols)[number] | undefined;
}

export const albPortOption = () =>
  new Option(
    '--alb-port <n>',
    'a gRPC port for an AWS Application Load Balancer, which passes on the certificates of its clients; 0: any free one',
  )
    .env('HOLDFAST_ALB_PORT')
    .argParser(port);

export const albFromOption = () =>
  new Option(
    '--alb-from <networks>',
    'the networks of the load balancer, separated by commas (10.0.0.0/20): --alb-port serves no others',
  )
    .env('HOLDFAST_ALB_FROM')
    .argParser(networks);

export const albProtocolOption = () =>
  new Option(
    '--alb-protocol <name>',
    'what the load balancer speaks to --alb-port: tls, by the server’s certificate, or h2c, without TLS; default: tls',
  )
    .env('HOLDFAST_ALB_PROTOCOL')
    .choices(protocols);

/** The most networks of a load balancer: one for each subnet, of which it has one in each zone. */
const mostNetworks = 50;

function networks(text: string): readonly string[] {
  const found = text.split(',').map((one) => one.trim());
  const problem = found.map(networkProblem).find((one) => one !== undefined);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}.`);
  if (found.length > mostNetworks) throw new InvalidArgumentError(`Write at most ${mostNetworks} networks.`);
  return found;
}

/** Returns the endpoint for a load balancer, or undefined without `--alb-port`. Throws for options that do not go together. */
export function albEndpoint(
  { albPort, albFrom, albProtocol }: AlbFlags,
  host: string,
  tls: CertificateFiles | undefined,
): AlbEndpoint | undefined {
  if (albPort === undefined) {
    const alone =
      albFrom !== undefined ? '--alb-from' : albProtocol !== undefined ? '--alb-protocol' : undefined;
    if (alone === undefined) return undefined;
    throw usage(`${alone} is for the listener of --alb-port.`, 'Give --alb-port too, or leave it out.');
  }
  if (albFrom === undefined) {
    throw usage(
      '--alb-port needs --alb-from, because every machine that it serves may pass on the certificate of any client.',
      'Give the networks of the load balancer’s subnets: --alb-from 10.0.0.0/20,10.0.16.0/20.',
    );
  }
  if (tls === undefined) {
    throw usage(
      '--alb-port needs --ca, --cert and --key, because the server verifies the certificates of the clients again.',
      'Leave --plaintext out. --alb-protocol h2c is for a load balancer that speaks to the server without TLS.',
    );
  }
  return { host, port: albPort, tls, networks: albFrom, isPlaintext: albProtocol === 'h2c' };
}
