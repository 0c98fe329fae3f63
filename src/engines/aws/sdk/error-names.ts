/**
 * What AWS's services call their refusals: one list for the breakers, the retries and what callers are told, so that
 * these never disagree. Names of exceptions, codes of the parts of a batch, and reasons of a cancelled transaction.
 */
const throttles: ReadonlySet<string> = new Set([
  'KmsThrottled',
  'LimitExceededException',
  'OverLimit',
  'ProvisionedThroughputExceeded',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'Throttling',
  'ThrottlingError',
  'ThrottlingException',
]);

const denials: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidClientTokenId',
  'InvalidSecurity',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);

/** SQS gives some errors the name that they had in its older protocol. */
export function plainName(name = ''): string {
  return name.replace('AWS.SimpleQueueService.', '');
}

/** Too much was asked for; nothing was done. */
export function isThrottle(name: string | undefined): boolean {
  return throttles.has(plainName(name));
}

/** The credentials are not accepted, or may not do this. */
export function isDenial(name: string | undefined): boolean {
  return denials.has(plainName(name));
}

/** The SDK found no credentials, so AWS was not asked. */
export function lacksCredentials(name: string | undefined): boolean {
  return name === 'CredentialsProviderError';
}
