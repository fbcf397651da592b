-- From where the phones of an extension may come, and how.
ALTER TABLE extension ADD COLUMN access TEXT NOT NULL DEFAULT '{}';
