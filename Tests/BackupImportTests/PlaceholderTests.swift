import Testing
@testable import BackupImport
