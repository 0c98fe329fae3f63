import type { Site } from '../site.ts';
import type { StoreKind } from '../stores.ts';

/** A fault of one cause: the store with which its site runs, and how it is brought about. */
export interface Injector {
  readonly store: StoreKind;
  /** Brings the fault about. It lasts until the end of the site. */
  inject(site: Site): Promise<void>;
}
