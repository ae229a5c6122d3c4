import System
import Testing
import Timeline

/// What the path of a tenant, of a shard of it, or of a timeline means.
struct TenantPathTests {
  private static let tenant = String(repeating: "1", count: 32)
  private static let timeline = String(repeating: "2", count: 32)

  /// Goal: the digits of a shard are found, and no others. Method: paths, and what they are without.
  @Test(arguments: [
    ("s3://b/tenants/\(tenant)-0104", "s3://b/tenants/\(tenant)"),
    ("out/tenants/\(tenant)-0104/", "out/tenants/\(tenant)/"),
    ("tenants/\(tenant)-0104/timelines/\(timeline)", "tenants/\(tenant)/timelines/\(timeline)"),
    ("out/tenants/\(tenant)", nil), ("out/\(tenant)-0104", nil), ("out/tenants/\(tenant)-04", nil),
    ("out/tenants/\(tenant)-0504", nil), ("", nil),
  ])
  func withoutShard(path: String, expected: String?) {
    #expect(TenantPath.withoutShard(path) == expected ?? path)
  }

  /// Goal: of a tenant with several timelines each is named, up to a limit. Method: three, and ten.
  @Test func severalTimelines() throws {
    let path = try #require(TenantPath("out/tenants/\(Self.tenant)"))
    let ids = (0..<10).map { String(repeating: "\($0)", count: 32) }
    var error = #expect(throws: Failure.self) { try path.only(of: Set(ids[..<3])) }
    #expect(error?.code == .severalTimelines)
    #expect(
      error?.message == "tenant 'out/tenants/\(Self.tenant)' has 3 timelines: "
        + ids[..<3].joined(separator: ", "))
    error = #expect(throws: Failure.self) { try path.only(of: Set(ids)) }
    #expect(error?.message.hasSuffix("\(ids[7]) and 2 more") == true)
  }
}
