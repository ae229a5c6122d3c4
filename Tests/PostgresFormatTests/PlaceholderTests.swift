import Testing
@testable import PostgresFormat
