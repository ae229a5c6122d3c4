import Operations

/// The text about a dry run.
enum ForecastText {
  /// The line on standard output.
  static func line(_ forecast: ImportForecast) -> String {
    let summary = forecast.summary
    var parts = [
      Quantity.count(summary.pageCount, "page"), "\(Quantity.bytes(summary.inputByteCount)) in",
    ]
    if forecast.reasonCount == 0, forecast.recovery == nil {
      parts = [
        Quantity.count(summary.databaseCount, "database"),
        Quantity.count(summary.relationCount, "relation"), parts[0],
        "LSN \(summary.importLSN) to \(summary.endLSN)", parts[1],
        "about \(Quantity.bytes(summary.outputByteCount)) out",
        Quantity.count(summary.imageLayerCount, "image layer"),
        Quantity.count(summary.l0LayerCount, "L0 layer"),
      ]
    }
    let verdict =
      forecast.reasonCount > 0
      ? "would not import" : forecast.recovery == nil ? "would import" : "would recover and import"
    let subject =
      summary.postgresVersion == 0
      ? "the backup" : "Postgres \(summary.postgresVersion) (\(summary.backupKind))"
    return "dry run: \(verdict) \(subject): \(parts.joined(separator: ", "))"
  }

  /// The lines on standard error: what would be done, then the reasons against it; `path` is where
  /// the timeline would be.
  static func notes(_ forecast: ImportForecast, path: String, isQuiet: Bool) -> [String] {
    var lines: [String] = []
    if !isQuiet {
      lines.append("note: the timeline would be \(path.quoted)")
      if let recovery = forecast.recovery { lines += needs(of: recovery) }
      if forecast.reasonCount == 0, forecast.recovery == nil {
        lines += SummaryText.changes(forecast.summary) + SummaryText.losses(forecast.summary)
        lines += SummaryText.computeNeeds(forecast.summary)
      }
      if !forecast.isComplete {
        lines.append("note: the backup was not read to its end: there may be more reasons")
      }
    }
    lines += SummaryText.warnings(forecast.summary)
    let reasons = forecast.reasons.prefix(reasonsShown)
    for (index, reason) in reasons.enumerated() {
      lines.append("reason: \(reason.error) [\(reason.code)]")
      // Said once for reasons that follow each other.
      let next = index + 1 < reasons.count ? reasons[index + 1].hint : nil
      if let hint = reason.hint, hint != next { lines.append("hint: \(hint)") }
    }
    let shown = UInt64(reasons.count)
    if forecast.reasonCount > shown {
      lines.append("note: \(Quantity.count(forecast.reasonCount - shown, "more reason")) not shown")
    }
    return lines
  }

  private static let reasonsShown = 20

  private static func needs(of recovery: ImportForecast.Recovery) -> [String] {
    var lines = [
      "note: Postgres in \(recovery.programs.quoted) would recover the backup; it was not run",
      "note: the scratch directory in \(recovery.scratchParent.quoted) would take at least "
        + Quantity.bytes(recovery.scratchByteCount),
    ]
    if let wal = recovery.writeAheadLog { lines.append("note: WAL would come from \(wal.quoted)") }
    if let command = recovery.restoreCommand {
      lines.append("note: more WAL would come from the command \(command.quoted)")
    }
    lines.append("note: what Postgres finds when it recovers the backup is not known before")
    return lines
  }
}
