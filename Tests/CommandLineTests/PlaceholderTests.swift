import Testing
@testable import import_backup
