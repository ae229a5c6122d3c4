import PostgresFormat
import System
import Testing

@testable import ObjectStore

/// Goal: a place and a server are what the command line says, or refused. Method: tables.
@Suite struct StorePlaceTests {
  @Test(arguments: [
    ("s3://bucket", "bucket", "", "s3://bucket"),
    ("s3://bucket/", "bucket", "", "s3://bucket"),
    ("S3://my-bucket.x/a/b c/", "my-bucket.x", "a/b c", "s3://my-bucket.x/a/b c"),
    ("s3://b_1//a//b", "b_1", "a//b", "s3://b_1/a//b"),
  ])
  func places(url: String, bucket: String, prefix: String, description: String) throws {
    #expect(StoreLocation.isMeant(by: url))
    let location = try StoreLocation(url)
    #expect(location.bucket == bucket)
    #expect(location.prefix == prefix)
    #expect(location.description == description)
    #expect(location.keyPrefix == (prefix.isEmpty ? "" : prefix + "/"))
  }

  @Test(arguments: [
    "s3://", "s3:///a", "s3://a", "s3://.ab", "s3://bu:cket/x", "s3://ü-bucket",
    "s3://bucket/a/../b", "s3://bucket/./b",
  ])
  func refusedPlaces(url: String) {
    #expect { try StoreLocation(url) } throws: { ($0 as? Failure)?.code == .badOption }
  }

  @Test func otherWords() {
    for word in ["s3:/b/c", "./s3://b", "az://b", "s3"] {
      #expect(!StoreLocation.isMeant(by: word), "\(word)")
    }
  }

  @Test(arguments: [
    ("bucket", nil, "eu-central-1", "https://bucket.s3.eu-central-1.amazonaws.com/a/b%2B"),
    ("bucket", nil, "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b%2B"),
    ("my.bucket", nil, "us-east-1", "https://s3.us-east-1.amazonaws.com/my.bucket/a/b%2B"),
    ("bucket", "http://127.0.0.1:9000", "x", "http://127.0.0.1:9000/bucket/a/b%2B"),
    ("bucket", "https://store:443/", "x", "https://store/bucket/a/b%2B"),
    ("bucket", "HTTP://store:80/base/", "x", "http://store/base/bucket/a/b%2B"),
  ])
  func endpoints(bucket: String, url: String?, region: String, expected: String) throws {
    let endpoint = try StoreEndpoint(bucket: bucket, endpointURL: url, region: region)
    #expect("\(endpoint.scheme)://\(endpoint.host)\(endpoint.path(of: "a/b+"))" == expected)
  }

  @Test(arguments: [
    "store", "ftp://store", "http://", "http://a b", "https://u:p@h", "http://h/?x",
  ])
  func refusedEndpoints(url: String) {
    #expect {
      try StoreEndpoint(bucket: "b", endpointURL: url, region: "r")
    } throws: {
      ($0 as? Failure)?.code == .badOption
    }
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2000-02-29T23:59:59Z", 951_868_799),
    ("2026-11-28T20:15:00.123Z", 1_795_896_900), ("2100-03-01T00:00:00Z", 4_107_542_400),
  ])
  func times(text: String, seconds: Int) throws {
    #expect(UTCTime(text)?.seconds == seconds)
  }

  @Test(arguments: [
    "", "2026-11-28", "2026-11-28T20:15:00", "2026-13-28T20:15:00Z", "2026-11-28T24:15:00Z",
    "2026-11-28 20:15:00Z", "2026-11-28T20:15:00+Z", "2026-11-28T20:15:0xZ",
  ])
  func noTimes(text: String) { #expect(UTCTime(text) == nil) }

  /// Method: bytes of every kind there and back; and what is not encoded properly.
  @Test func percentEncoding() {
    #expect(PercentEncoding.path("a/b c+ü~%") == "a/b%20c%2B%C3%BC~%25")
    #expect(PercentEncoding.query("a/b") == "a%2Fb")
    #expect(
      PercentEncoding.query([("prefix", "J/K"), ("lifecycle", ""), ("max-keys", "2")])
        == "lifecycle=&max-keys=2&prefix=J%2FK")
    #expect(PercentEncoding.decoded("a%2Fb+c%zz%4") == "a/b c%zz%4")
  }
}
