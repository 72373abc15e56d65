import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ClusterMetadata',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('cluster_id', models.UUIDField()),
                ('shard_count', models.PositiveIntegerField(help_text='Fixed for the life of the database: rows are placed by it.')),
            ],
            options={
                'verbose_name_plural': 'cluster metadata',
                'db_table': 'cluster_metadata',
            },
        ),
        migrations.CreateModel(
            name='Namespace',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=1000, unique=True)),
                ('state', models.PositiveSmallIntegerField(choices=[(1, 'Registered'), (2, 'Deprecated'), (3, 'Deleted')], default=1)),
                ('description', models.TextField(blank=True)),
                ('owner_email', models.TextField(blank=True)),
                ('data', models.JSONField(blank=True, default=dict)),
                ('retention', models.BigIntegerField(help_text='Nanoseconds a closed execution is kept.')),
                ('bad_binaries', models.JSONField(blank=True, default=dict)),
                ('config_version', models.BigIntegerField(default=0)),
            ],
            options={
                'db_table': 'namespace',
            },
        ),
        migrations.CreateModel(
            name='Shard',
            fields=[
                ('id', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('range_id', models.BigIntegerField(default=0)),
                ('owner', models.CharField(blank=True, max_length=255)),
                ('lease_expires', models.BigIntegerField(default=0)),
            ],
            options={
                'db_table': 'shard',
            },
        ),
        migrations.CreateModel(
            name='CurrentExecution',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('namespace_id', models.UUIDField()),
                ('workflow_id', models.CharField(max_length=1000)),
                ('run_id', models.UUIDField()),
            ],
            options={
                'db_table': 'current_execution',
                'constraints': [models.UniqueConstraint(fields=('shard_id', 'namespace_id', 'workflow_id'), name='current_execution_unique')],
            },
        ),
        migrations.CreateModel(
            name='DispatchTask',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('namespace_id', models.UUIDField()),
                ('task_queue', models.CharField(max_length=1000)),
                ('kind', models.PositiveSmallIntegerField(choices=[(1, 'Workflow'), (2, 'Activity')])),
                ('priority', models.PositiveSmallIntegerField(default=3)),
                ('created_time', models.BigIntegerField()),
                ('workflow_id', models.CharField(max_length=1000)),
                ('run_id', models.UUIDField()),
                ('scheduled_event_id', models.BigIntegerField()),
                ('stamp', models.IntegerField(help_text='Tells this dispatch from later ones of the same event.')),
            ],
            options={
                'db_table': 'dispatch_task',
                'indexes': [models.Index(fields=['namespace_id', 'task_queue', 'kind', 'priority', 'id'], name='dispatch_task_poll')],
                'constraints': [models.UniqueConstraint(fields=('shard_id', 'run_id', 'scheduled_event_id', 'kind'), name='dispatch_task_unique')],
            },
        ),
        migrations.CreateModel(
            name='Execution',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('run_id', models.UUIDField()),
                ('namespace_id', models.UUIDField()),
                ('workflow_id', models.CharField(max_length=1000)),
                ('version', models.BigIntegerField()),
                ('state', models.BinaryField()),
            ],
            options={
                'db_table': 'execution',
                'constraints': [models.UniqueConstraint(fields=('shard_id', 'run_id'), name='execution_unique')],
            },
        ),
        migrations.CreateModel(
            name='HistoryNode',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('branch_id', models.UUIDField()),
                ('first_event_id', models.BigIntegerField()),
                ('last_event_id', models.BigIntegerField()),
                ('events', models.BinaryField()),
            ],
            options={
                'db_table': 'history_node',
                'constraints': [models.UniqueConstraint(fields=('shard_id', 'branch_id', 'first_event_id'), name='history_node_unique')],
            },
        ),
        migrations.CreateModel(
            name='TimerTask',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('run_id', models.UUIDField()),
                ('namespace_id', models.UUIDField()),
                ('workflow_id', models.CharField(max_length=1000)),
                ('fire_time', models.BigIntegerField()),
            ],
            options={
                'db_table': 'timer_task',
                'indexes': [models.Index(fields=['fire_time'], name='timer_task_due')],
                'constraints': [models.UniqueConstraint(fields=('shard_id', 'run_id'), name='timer_task_unique')],
            },
        ),
        migrations.CreateModel(
            name='VisibilityRecord',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('shard_id', models.PositiveIntegerField()),
                ('namespace_id', models.UUIDField()),
                ('run_id', models.UUIDField()),
                ('workflow_id', models.CharField(max_length=1000)),
                ('workflow_type', models.CharField(max_length=1000)),
                ('task_queue', models.CharField(max_length=1000)),
                ('status', models.PositiveSmallIntegerField(help_text='A number of temporal.api.enums.v1.WorkflowExecutionStatus.')),
                ('start_time', models.BigIntegerField()),
                ('execution_time', models.BigIntegerField()),
                ('close_time', models.BigIntegerField(default=9223372036854775807)),
                ('execution_duration', models.BigIntegerField(null=True)),
                ('history_length', models.BigIntegerField(null=True)),
                ('history_size_bytes', models.BigIntegerField(null=True)),
                ('state_transition_count', models.BigIntegerField(null=True)),
                ('parent_workflow_id', models.CharField(blank=True, max_length=1000)),
                ('parent_run_id', models.CharField(blank=True, max_length=36)),
                ('root_workflow_id', models.CharField(blank=True, max_length=1000)),
                ('root_run_id', models.CharField(blank=True, max_length=36)),
                ('namespace_division', models.CharField(blank=True, db_default='', help_text='The attribute TemporalNamespaceDivision: rows that have it are no workflows of a user.', max_length=255)),
                ('memo', models.BinaryField(help_text='A serialized temporal.api.common.v1.Memo.')),
                ('payloads', models.BinaryField(help_text='A serialized temporal.api.common.v1.SearchAttributes, as the client sent it.')),
                ('search_attributes', models.JSONField(default=dict, help_text='The values decoded for queries, under `Name:Type`.')),
            ],
            options={
                'db_table': 'visibility_record',
                'indexes': [models.Index(fields=['namespace_id', 'namespace_division', '-close_time', '-start_time', 'run_id', 'status'], name='visibility_page'), models.Index(fields=['namespace_id', 'workflow_id'], name='visibility_workflow_id'), models.Index(fields=['namespace_id', 'namespace_division', 'workflow_type', '-close_time', '-start_time', 'run_id'], name='visibility_type')],
                'constraints': [models.UniqueConstraint(fields=('run_id', 'shard_id'), name='visibility_unique')],
            },
        ),
        migrations.CreateModel(
            name='SearchAttribute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('type', models.PositiveSmallIntegerField(help_text='A number of temporal.api.enums.v1.IndexedValueType.')),
                ('namespace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='search_attributes', to='hugo_orchestrator.namespace')),
            ],
            options={
                'db_table': 'search_attribute',
                'constraints': [models.UniqueConstraint(fields=('namespace', 'name'), name='search_attribute_unique')],
            },
        ),
    ]
