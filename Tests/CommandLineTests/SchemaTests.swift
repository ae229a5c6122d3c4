import Foundation
import Operations
import TestSupport
import Testing

@testable import import_backup

/// The schemas of the JSON objects; that the objects fit them is checked whenever a test runs the
/// program with `--json` (`ProgramRun.run`).
struct SchemaTests {
  private static let documents = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Docs").standardizedFileURL

  /// A schema, or a part of one.
  private typealias Schema = [String: Any]

  private static func schemas() throws -> [String: Schema] {
    let directory = documents.appending(path: "schema").path
    var schemas: [String: Schema] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
      let contents = try Data(contentsOf: URL(filePath: directory).appending(path: name))
      schemas[name] = try #require(
        try JSONSerialization.jsonObject(with: contents) as? Schema, "\(name)")
    }
    return schemas
  }

  private static func properties(_ schema: Schema) -> [String: Schema] {
    schema["properties"] as? [String: Schema] ?? [:]
  }

  /// Goal: the same field means the same in the objects of all commands. Method: compare each field
  /// with that of the same name in every other schema, type and description; but for the name of the
  /// command, lists of which one command says more than another, and what may be unknown in a dry run.
  @Test func sameNames() throws {
    var known: [String: Schema] = [:]
    let schemas = try Self.schemas().sorted { $0.key < $1.key }
    #expect(schemas.count >= 5)
    for (file, schema) in schemas {
      for (name, property) in Self.properties(schema) {
        let lists = ["databases", "layers", "findings", "relations"]
        if (["command", "subject"] + lists).contains(name) || property["anyOf"] != nil { continue }
        let other = known[name] ?? property
        #expect(
          NSDictionary(dictionary: property) == NSDictionary(dictionary: other),
          "\(name) in \(file)")
        known[name] = property
      }
    }
  }

  /// Goal: every field has a description, and no object may have a field that its schema does not
  /// know.
  @Test func complete() throws {
    for (file, schema) in try Self.schemas() {
      try Self.requireComplete(schema, "\(file)")
      for (name, definition) in schema["$defs"] as? [String: Schema] ?? [:] {
        try Self.requireComplete(definition, "\(file), \(name)")
      }
    }
  }

  private static func requireComplete(_ schema: Schema, _ place: String) throws {
    guard schema["type"] as? String == "object" else { return }
    if properties(schema).isEmpty { return }
    #expect(schema["additionalProperties"] as? Bool == false, "\(place)")
    for (name, property) in properties(schema) {
      #expect(property["description"] is String || property["$ref"] is String, "\(place): \(name)")
      try requireComplete(property, "\(place): \(name)")
      if let items = property["items"] as? Schema {
        try requireComplete(items, "\(place): \(name)")
      }
    }
  }

  /// Goal: what is said in words has a code, for scripts. Method: an object that may have an error, a message
  /// or a reason may have a code.
  @Test func codes() throws {
    for (file, schema) in try Self.schemas() {
      for object in Self.objects(in: schema) {
        let names = Set(Self.properties(object).keys)
        if names.isDisjoint(with: ["error", "message", "reason"]) { continue }
        #expect(names.contains("code"), "\(file): \(names.sorted())")
      }
    }
  }

  /// A schema, and all that are parts of it.
  private static func objects(in schema: Schema) -> [Schema] {
    let parts =
      Array(properties(schema).values) + Array((schema["$defs"] as? [String: Schema] ?? [:]).values)
      + ((schema["items"] as? Schema).map { [$0] } ?? [])
    return [schema] + parts.flatMap(objects)
  }

  /// Goal: the check finds a field that is unknown, missing, or of another kind. Method: a real
  /// object, changed.
  @Test func check() async throws {
    let directory = try TemporaryDirectory()
    let backup = directory.path + "/backup.tar"
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: backup))
    let run = try await ProgramRun.run([backup, "--output", directory.path + "/out", "--json"])
    #expect(run.exitCode == 0, "\(run.error)")
    try ResultSchema.check(run.output)
    for (old, new) in [
      ("\"seconds\"", "\"minutes\""), ("\"schema\":2", "\"schema\":3"),
      ("\"schema\":2", "\"schema\":2,\"new\":1"), ("\"schema\":2,", ""),
      ("\"sha256\":\"", "\"sha256\":\"x"), ("\"warnings\":[]", "\"warnings\":{}"),
      ("{\"byteCount\"", "{\"new\":1,\"byteCount\""),
      ("\"command\":\"import\"", "\"command\":\"x\""),
    ] {
      let changed = run.outputText.replacing(old, with: new, maxReplacements: 1)
      #expect(changed != run.outputText, "\(old)")
      #expect(throws: ResultSchema.Mismatch.self, "\(new)") {
        try ResultSchema.check(Data(changed.utf8))
      }
    }
  }

  /// Goal: the tables of an import's fields in `Docs/output.md` have those of its schema.
  /// Method: the names in backquotes in the first column; for those of the objects in it, in the row.
  @Test func tables() throws {
    let text = try String(
      contentsOf: Self.documents.appending(path: "output.md"), encoding: .utf8)
    let rows = ["The JSON of all commands", "The JSON of an import"].flatMap { title in
      (text.split(separator: "## \(title)\n").last ?? "").split(separator: "\n")
        .prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("| `") }.map(Self.names)
    }
    let schema = try #require(try Self.schemas()["import.json"])
    #expect(Set(rows.flatMap(\.field)) == Set(Self.properties(schema).keys))
    for (field, property) in Self.properties(schema) {
      let meanings = rows.filter { $0.field.contains(field) }.map(\.meaning)
      let inner = Self.fields(of: property, in: schema)
      #expect(meanings.contains { $0.isSuperset(of: inner) }, "\(field)")
    }
  }

  /// The names of the fields of an object, or of the objects in a list.
  private static func fields(of property: Schema, in schema: Schema) -> Set<String> {
    var property = property["items"] as? Schema ?? property
    if let reference = property["$ref"] as? String, let name = reference.split(separator: "/").last
    {
      property = (schema["$defs"] as? [String: Schema])?[String(name)] ?? [:]
    }
    return Set(properties(property).keys)
  }

  /// The names in backquotes in the two columns of a row.
  private static func names(_ row: Substring) -> (field: [String], meaning: Set<String>) {
    let columns = row.split(separator: "|").map { column in
      column.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
    return (columns.first ?? [], Set(columns.dropFirst().first ?? []))
  }
}
