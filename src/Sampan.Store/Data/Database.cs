using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Sampan.Store;

/// <summary>
/// The daemon's SQLite database: one connection, one user at a time, write-ahead log. A transaction is durable when it returns
/// (<c>synchronous=FULL</c>, about a millisecond) unless it is asked not to be. Thread-safe.
/// </summary>
public sealed class Database : IDisposable
{
    private const int BusyTimeoutMilliseconds = 5000;

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = [];
    private int _depth;
    private bool _durable = true;

    static Database() => raw.SetProvider(new SQLite3Provider_sqlite3());

    private Database(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens or makes the database and brings it to the newest schema.</summary>
    /// <exception cref="StoreException">It is damaged, or a newer Sampan wrote it.</exception>
    public static Database Open(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = false,
            DefaultTimeout = BusyTimeoutMilliseconds / 1000,
        }.ToString());
        var database = new Database(connection);
        try
        {
            connection.Open();
            database.Execute($"PRAGMA busy_timeout={BusyTimeoutMilliseconds}");
            database.Query("PRAGMA journal_mode=WAL", r => r.GetString(0));
            database.Execute("PRAGMA synchronous=FULL");
            Migrations.Run(database);
            return database;
        }
        catch (SqliteException e)
        {
            database.Dispose();
            throw database.Explained(e);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs a piece of work whose writes all become visible and durable together, or, when it throws, not at all. May be nested: the outermost
    /// decides. Keep it short: everyone else waits.
    /// </summary>
    public void Transaction(Action work) => Transaction(() =>
    {
        work();
        return true;
    });

    /// <inheritdoc cref="Transaction(Action)"/>
    public T Transaction<T>(Func<T> work) => Transaction(true, work);

    /// <summary>A collection of JSON documents; it needs no preparation.</summary>
    public IDocuments Documents(string collection) => new DocumentTable(this, collection);

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var command in _commands.Values)
            {
                command.Dispose();
            }

            _commands.Clear();
            _connection.Dispose();
        }
    }

    /// <summary>As <see cref="Transaction{T}(Func{T})"/>; one that is not durable may be lost to a power cut, but never in part.</summary>
    internal T Transaction<T>(bool durable, Func<T> work)
    {
        lock (_gate)
        {
            if (_depth > 0)
            {
                return work();
            }

            SetDurable(durable);
            Execute("BEGIN IMMEDIATE");
            _depth++;
            try
            {
                var result = work();
                Execute("COMMIT");
                return result;
            }
            catch
            {
                // A full disk makes SQLite roll back by itself.
                if (raw.sqlite3_get_autocommit(_connection.Handle) == 0)
                {
                    Execute("ROLLBACK");
                }

                throw;
            }
            finally
            {
                _depth--;
            }
        }
    }

    /// <summary>Runs one statement with parameters $1, $2 …; gives the number of rows it changed. Alone it is a durable transaction.</summary>
    internal int Execute(string sql, params ReadOnlySpan<object?> parameters)
    {
        lock (_gate)
        {
            if (_depth == 0)
            {
                SetDurable(true);
            }

            try
            {
                return Prepare(sql, parameters).ExecuteNonQuery();
            }
            catch (SqliteException e)
            {
                throw Explained(e);
            }
        }
    }

    /// <summary>Runs one query with parameters $1, $2 ….</summary>
    internal List<T> Query<T>(string sql, Func<SqliteDataReader, T> row, params ReadOnlySpan<object?> parameters)
    {
        lock (_gate)
        {
            try
            {
                using var reader = Prepare(sql, parameters).ExecuteReader();
                var rows = new List<T>();
                while (reader.Read())
                {
                    rows.Add(row(reader));
                }

                return rows;
            }
            catch (SqliteException e)
            {
                throw Explained(e);
            }
        }
    }

    /// <summary>SQLite's errors that are the machine's: in the words of the system, with the file's name.</summary>
    private Exception Explained(SqliteException e) => e.SqliteErrorCode switch
    {
        raw.SQLITE_FULL => new IOException($"write {_connection.DataSource}: no space left on device", e),
        raw.SQLITE_IOERR or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN => new IOException($"{_connection.DataSource}: {e.Message}", e),
        _ => StoreException.Damaged($"database \"{_connection.DataSource}\": {e.Message}", e),
    };

    private SqliteCommand Prepare(string sql, ReadOnlySpan<object?> parameters)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            for (var i = 0; i < parameters.Length; i++)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = $"${i + 1}" });
            }

            _commands.Add(sql, command);
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            command.Parameters[i].Value = parameters[i] ?? DBNull.Value;
        }

        return command;
    }

    private void SetDurable(bool durable)
    {
        if (durable != _durable)
        {
            _durable = durable;
            Prepare(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", []).ExecuteNonQuery();
        }
    }
}
