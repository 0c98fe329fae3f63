import { HoldfastError } from '../../../core/errors.ts';
import { failureOf, helpCredentials } from './errors.ts';

/** Where a service was looked for, as far as that was named. */
export interface Place {
  readonly service: 'DynamoDB' | 'SQS';
  readonly region?: string | undefined;
  /** In place of AWS's own. */
  readonly endpoint?: string | undefined;
}

/**
 * What the first calls of a process met, told to whoever has just named region and endpoints: nobody has submitted
 * anything yet, so there is nothing to repeat. Any other error stays as it is.
 *
 * UNAVAILABLE, UNREACHABLE: the service does not answer. FAILED_PRECONDITION, BAD_CONFIGURATION: no credentials.
 */
export function asStartError(thrown: unknown, place: Place): unknown {
  if (!(thrown instanceof HoldfastError) || !(thrown.cause instanceof Error)) return thrown;
  if (thrown.reason !== 'STORE_FAILED') return thrown;
  const { cause } = thrown;
  switch (failureOf(cause)) {
    case 'noCredentials':
      return unknownCaller(cause);
    case 'unknown':
      return unreached(cause, place);
    default:
      return thrown;
  }
}

function unknownCaller(cause: Error): HoldfastError {
  const said = `No AWS credentials were found (${cause.message}).`;
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', said, {
    cause,
    help: helpCredentials,
  });
}

function unreached(cause: Error, { service, region, endpoint }: Place): HoldfastError {
  const at = endpoint === undefined ? region && ` in ${region}` : ` at ${endpoint}`;
  const said = `${service} does not answer${at ?? ''} (${cause.name}: ${cause.message}).`;
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', said, {
    cause,
    help: `Check --region and --endpoint-${service.toLowerCase()}, and that the network leads there.`,
  });
}
