"""What every domain stands on: database, tenancy, events, jobs, errors, clock, ids, crypto, storage, web, i18n."""
