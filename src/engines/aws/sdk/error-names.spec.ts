import { expect, it } from 'vitest';
import { asBrokerError } from '../broker/sqs/errors.ts';
import { isDenial, isThrottle } from './error-names.ts';
import { failureOf } from './errors.ts';

const named = (name: string): Error => Object.assign(new Error('no'), { name });

it.each([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestThrottledException',
  'OverLimit',
  'AWS.SimpleQueueService.OverLimit',
])('%s is a throttle to the breaker, to the table and to the queues alike', (name) => {
  expect(isThrottle(name)).toBe(true);
  expect(failureOf(named(name))).toBe('throttled');
  expect(asBrokerError(named(name))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
});

it.each(['AccessDeniedException', 'IncompleteSignatureException', 'InvalidClientTokenId'])(
  '%s is a denial to both',
  (name) => {
    expect(isDenial(name)).toBe(true);
    expect(failureOf(named(name))).toBe('denied');
    expect(asBrokerError(named(name)).message).toContain('credentials');
  },
);

it('credentials that were not found are no denial: AWS was not asked', () => {
  expect(isDenial('CredentialsProviderError')).toBe(false);
  expect(failureOf(named('CredentialsProviderError'))).toBe('noCredentials');
});

it('anything else is neither', () => {
  expect(isThrottle(undefined)).toBe(false);
  expect(failureOf(named('TimeoutError'))).toBe('unknown');
});
