/** Those of the protocol's close codes that the SDK tells from others; their reasons need not be in every page. */
export const ownCloseCodes = { silent: 4004, tokenEnded: 4005, tooMany: 4006 };
