import { expect, it } from 'vitest';
import { asBrokerError } from '../broker/sqs/errors.ts';
import { isDenial, isThrottle } from './error-names.ts';
import { errorKindOf } from './errors.ts';

const named = (name: string): Error => Object.assign(new Error('no'), { name });

it.each([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestThrottledException',
  'OverLimit',
  'AWS.SimpleQueueService.OverLimit',
])('the AWS error %s counts as a throttle for the breaker, the table and SQS', (name) => {
  expect(isThrottle(name)).toBe(true);
  expect(errorKindOf(named(name))).toBe('throttled');
  expect(asBrokerError(named(name))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
});

it.each(['AccessDeniedException', 'IncompleteSignatureException', 'InvalidClientTokenId'])(
  'the AWS error %s counts as a denial of credentials for the table and SQS',
  (name) => {
    expect(isDenial(name)).toBe(true);
    expect(errorKindOf(named(name))).toBe('denied');
    expect(asBrokerError(named(name)).message).toContain('credentials');
  },
);

it('the AWS SDK’s error that it found no credentials does not count as a denial of credentials, since no request was sent', () => {
  expect(isDenial('CredentialsProviderError')).toBe(false);
  expect(errorKindOf(named('CredentialsProviderError'))).toBe('noCredentials');
});

it('an AWS error with an unlisted name is neither a throttle nor a denial', () => {
  expect(isThrottle(undefined)).toBe(false);
  expect(errorKindOf(named('TimeoutError'))).toBe('unknown');
});
