from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotation', '0001_initial'),
        ('jobs', '0003_rehearsals'),
        ('projects', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='job',
            name='job_kind',
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('register', 'Register data and classifier'), ('propose', 'Propose a budget'), ('prepare', 'Pick the images to ask about'), ('close', 'Curate and retrain'), ('try', 'Try a checkpoint on pictures'), ('export', "Write a round's files"), ('rehearse', 'Rehearse a round'), ('slice', 'Cut images into slices'), ('invert', 'Find pictures of slices'), ('noise', 'Write noise masks'), ('mend', 'Retrain with noise')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['register', 'propose', 'prepare', 'close', 'try', 'export', 'rehearse', 'slice', 'invert', 'noise', 'mend'])), name='job_kind'),
        ),
    ]
