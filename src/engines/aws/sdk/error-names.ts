/**
 * The names by which AWS services report throttling and denied credentials. Breakers, retries and error messages share
 * these lists, so that they never disagree. A name may be the name of an exception, the code of a batch entry, or the
 * reason of a cancelled transaction.
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

/** Removes the prefix that SQS puts before some error names, as in its older protocol. */
export function plainName(name = ''): string {
  return name.replace('AWS.SimpleQueueService.', '');
}

/** True if an AWS error is a throttle: the service was overloaded and did nothing. */
export function isThrottle(name: string | undefined): boolean {
  return throttles.has(plainName(name));
}

/** True if an AWS error says that the credentials were not accepted or lack a permission. */
export function isDenial(name: string | undefined): boolean {
  return denials.has(plainName(name));
}

/** True for the error of the AWS SDK that it found no credentials and therefore sent no request. */
export function lacksCredentials(name: string | undefined): boolean {
  return name === 'CredentialsProviderError';
}
