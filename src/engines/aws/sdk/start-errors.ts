import { HoldfastError } from '../../../core/errors.ts';
import { answeredStatusOf, errorKindOf, helpCredentials } from './errors.ts';

/** The AWS service that a process connects to at its start, with the region and endpoint as they were configured. */
export interface ServiceEndpoint {
  readonly service: 'DynamoDB' | 'SQS';
  readonly region?: string | undefined;
  /** The URL of an endpoint other than AWS's own. */
  readonly endpoint?: string | undefined;
}

/**
 * Turns a failure of a process's first AWS calls into an error for the operator, who has just configured region and
 * endpoints. The error advises to check these settings, not to retry a request. Any other error is returned unchanged.
 *
 * The returned error is UNAVAILABLE, reason UNREACHABLE, if the service does not answer, and FAILED_PRECONDITION,
 * reason BAD_CONFIGURATION, if the SDK found no credentials.
 */
export function asStartError(thrown: unknown, endpoint: ServiceEndpoint): unknown {
  if (!(thrown instanceof HoldfastError) || !(thrown.cause instanceof Error)) return thrown;
  if (thrown.reason !== 'STORE_FAILED') return thrown;
  const { cause } = thrown;
  switch (errorKindOf(cause)) {
    case 'noCredentials':
      return missingCredentials(cause);
    case 'unknown':
      return unreachable(cause, endpoint);
    default:
      return thrown;
  }
}

function missingCredentials(cause: Error): HoldfastError {
  const message = `No AWS credentials were found (${cause.message}).`;
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
    cause,
    help: helpCredentials,
  });
}

function unreachable(cause: Error, { service, region, endpoint }: ServiceEndpoint): HoldfastError {
  const at = endpoint === undefined ? region && ` in ${region}` : ` at ${endpoint}`;
  const status = answeredStatusOf(cause);
  const what =
    status === undefined
      ? `${service} does not answer${at ?? ''}`
      : `The answer${at ?? ''} is none of ${service}'s usual ones: status ${status}`;
  const message = `${what} (${cause.name}: ${cause.message}).`;
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', message, {
    cause,
    help: `Check --region and --endpoint-${service.toLowerCase()}, and that the network leads there.`,
  });
}
