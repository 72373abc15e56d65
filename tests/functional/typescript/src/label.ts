import { defineSearchAttributeKey } from '@temporalio/common';

/** The search attribute that the visibility case adds. */
export const label = defineSearchAttributeKey('SdkLabel', 'KEYWORD');
