package db

// MigrationLock lets a test stand in the way of Migrate.
const MigrationLock = migrationLock
