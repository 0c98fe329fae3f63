// The app of `npx cdk deploy`, run by cdk.json beside this file.
import { App } from 'aws-cdk-lib';
import { HoldfastError } from '../../src/core/errors.ts';
import { buildApp } from './build-app.ts';

const context = new App().node;
const listenerCertificateArn = context.tryGetContext('listenerCertificateArn') as string | undefined;
const trustBundleFile = context.tryGetContext('trustBundle') as string | undefined;
const releaseRepository = context.tryGetContext('releaseRepository') as string | undefined;
if (listenerCertificateArn === undefined || trustBundleFile === undefined) {
  console.error('Give -c listenerCertificateArn=<ARN in ACM> and -c trustBundle=<file of PEM>.');
  process.exit(2);
}
try {
  buildApp({ listenerCertificateArn, trustBundleFile, releaseRepository }).synth();
} catch (thrown) {
  if (!(thrown instanceof HoldfastError)) throw thrown;
  console.error(thrown.message);
  process.exit(2);
}
