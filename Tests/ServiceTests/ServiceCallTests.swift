import Foundation
import LayerFormat
import PostgresFormat
import Service
import Testing

/// The calls by the letter, and answers.
@Suite struct ServiceCallTests {
  private static let tenant = Identifier("11111111111111111111111111111111")!
  private static let timeline = Identifier("22222222222222222222222222222222")!

  private static func client() -> ServiceClient { ServiceClient(ServiceOptions()) }

  /// Goal: the bodies have the form that was tried on real servers.
  @Test func bodies() throws {
    let url = try ServiceURL("http://h:1")
    let controller = Controller(url, Self.client())
    #expect(controller.importCall(Self.tenant).body == nil)
    #expect(
      controller.creationCall(Self.timeline, of: Self.tenant, version: 15).body
        == #"{"new_timeline_id":"22222222222222222222222222222222","pg_version":15}"#)
    let pageserver = Pageserver(url, Self.client())
    #expect(
      pageserver.attachCall(
        ShardName(tenant: Self.tenant, ShardID(0, of: 1), stripeSize: 7), generation: 3
      ).body
        == #"{"mode":"AttachedSingle","generation":3,"tenant_conf":{}}"#)
    let shard = ShardName(tenant: Self.tenant, ShardID(2, of: 4), stripeSize: 2048)
    let call = pageserver.attachCall(shard, generation: 3)
    #expect(call.url == "http://h:1/v1/tenant/\(Self.tenant)-0204/location_config")
    #expect(
      call.body
        == #"{"mode":"AttachedSingle","generation":3,"shard_number":2,"shard_count":4,"#
        + #""shard_stripe_size":2048,"tenant_conf":{}}"#)
    let start = try #require(LogSequenceNumber("0/5057188"))
    let creation = Safekeeper(url, Self.client()).creationCall(
      Self.timeline, of: Self.tenant, version: 15, start: start,
      members: [.init(id: 1, host: "a", port: 5454), .init(id: 2, host: "b", port: 5455)])
    #expect(
      creation.body
        == #"{"tenant_id":"11111111111111111111111111111111","#
        + #""timeline_id":"22222222222222222222222222222222","mconf":{"generation":1,"members":["#
        + #"{"id":1,"host":"a","pg_port":5454},{"id":2,"host":"b","pg_port":5455}],"#
        + #""new_members":null},"pg_version":150000,"system_id":null,"wal_seg_size":null,"#
        + #""start_lsn":"0/5057188","commit_lsn":null}"#)
    for call in [creation, call] {
      #expect((try? JSONSerialization.jsonObject(with: Data((call.body ?? "").utf8))) != nil)
    }
  }

  /// Goal: a timeline's state is read in both of its forms.
  @Test(arguments: [
    (#""Active""#, "Active"), (#"{"Broken":{"reason":"r","backtrace":"b"}}"#, "Broken"),
  ])
  func states(json: String, state: String) throws {
    let text =
      #"{"last_record_lsn":"0/20","initdb_lsn":"0/10","pg_version":15,"remote_consistent_lsn":null,"#
      + #""state":\#(json),"other":[1,{}]}"#
    let read = try JSONDecoder().decode(TimelineState.self, from: Data(text.utf8))
    #expect(read.state == state && read.isActive == (state == "Active"))
    #expect(read.isBroken == (state == "Broken") && read.remoteConsistentLSN == nil)
  }
}
