namespace Sampan.Engine;

/// <summary>
/// What a story has acquired so far. Unless <see cref="Keep"/> is called, disposing undoes it in reverse order, goes on when an
/// undo fails, and then throws everything that failed (so that a clean-up error is never swallowed).
/// </summary>
internal sealed class UndoStack : IAsyncDisposable
{
    private readonly Stack<(string What, Func<ValueTask> Undo)> _steps = new();

    public void Push(string what, Action undo) => _steps.Push((what, () =>
    {
        undo();
        return ValueTask.CompletedTask;
    }
    ));

    public void Push(string what, Func<ValueTask> undo) => _steps.Push((what, undo));

    /// <summary>The story succeeded: nothing is undone.</summary>
    public void Keep() => _steps.Clear();

    public async ValueTask DisposeAsync()
    {
        List<Exception>? failures = null;
        while (_steps.TryPop(out var step))
        {
            try
            {
                await step.Undo();
            }
            catch (Exception e)
            {
                (failures ??= []).Add(new InvalidOperationException($"undo {step.What}: {e.Message}", e));
            }
        }

        if (failures is not null)
        {
            throw new AggregateException(failures);
        }
    }
}
